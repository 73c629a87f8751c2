// A ZIP file, its members stored: a download cannot name a folder, a member of an archive can.
//
//   [{name: "7/drawn.png", content: bytes}, ...] -> ZIP -> unpacked, each lies where the trainer looks for a seven
//
// Format: PKWARE, "APPNOTE.TXT - .ZIP File Format Specification", 4.3.

const TABLE = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});

function checksum(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

// Little-endian fields: [value, bytes] pairs.
function fields(...pairs) {
  const bytes = [];
  for (const [value, size] of pairs) for (let i = 0; i < size; i++) bytes.push((value >>> (8 * i)) & 0xff);
  return Uint8Array.from(bytes);
}

// A member's entry before its content, and the one in the directory that points to it; offset: of the first, in bytes.
function entries(name, content, offset) {
  const path = new TextEncoder().encode(name);
  const date = [(1 << 5) | 1, 2]; // 1 January 1980, the format's zero
  const common = [[20, 2], [0, 2], [0, 2], [0, 2], date, [checksum(content), 4], [content.length, 4], [content.length, 4], [path.length, 2], [0, 2]];
  return {
    local: [fields([0x04034b50, 4], ...common), path, content],
    central: [fields([0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), path],
  };
}

const length = (parts) => parts.reduce((sum, part) => sum + part.length, 0);

export function archive(members) {
  const contents = [];
  const directory = [];
  for (const { name, content } of members) {
    const { local, central } = entries(name, content, length(contents));
    contents.push(...local);
    directory.push(...central);
  }
  const count = [members.length, 2];
  const end = fields([0x06054b50, 4], [0, 2], [0, 2], count, count, [length(directory), 4], [length(contents), 4], [0, 2]);
  return new Blob([...contents, ...directory, end], { type: "application/zip" });
}
