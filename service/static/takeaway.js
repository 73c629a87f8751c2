// What leaves the page: a file to keep, a text on the clipboard.
//
//   download(blob, name) -> the browser's downloads
//   copy(button, text, shown) -> the clipboard, and the button says so

export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const SHOWN = 1500; // milliseconds that the button says what happened

// shown: the element with the text; it is selected for Ctrl+C where the clipboard is not allowed.
export async function copy(button, text, shown) {
  button.dataset.label ??= button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    if (shown) getSelection().selectAllChildren(shown);
    button.textContent = shown ? "Press Ctrl+C" : "See the address";
  }
  setTimeout(() => (button.textContent = button.dataset.label), SHOWN);
}
