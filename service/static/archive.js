// A ZIP file of one member, stored: a download cannot name a folder, a member of an archive can.
//
//   "7/drawn.png", bytes -> ZIP -> unpacked it lies where the trainer looks for a seven
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

export function archive(name, content) {
  const path = new TextEncoder().encode(name);
  const date = [(1 << 5) | 1, 2]; // 1 January 1980, the format's zero
  const common = [[20, 2], [0, 2], [0, 2], [0, 2], date, [checksum(content), 4], [content.length, 4], [content.length, 4], [path.length, 2], [0, 2]];
  const local = fields([0x04034b50, 4], ...common);
  const central = fields([0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [0, 4]);
  const end = fields([0x06054b50, 4], [0, 2], [0, 2], [1, 2], [1, 2], [central.length + path.length, 4], [local.length + path.length + content.length, 4], [0, 2]);
  return new Blob([local, path, content, central, path, end], { type: "application/zip" });
}
