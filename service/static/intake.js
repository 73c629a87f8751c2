// Pictures from elsewhere: a file, the camera, a paste, a drop.
//
//   any of them -> pictures.js -> take({file, bitmap})

import { prepare } from "./pictures.js";

const $ = (id) => document.getElementById(id);

export function setUpIntake(take) {
  let last = 0;
  const receive = async (file) => {
    const mine = ++last;
    const picture = await prepare(file);
    if (mine === last) take(picture); // a second picture may be ready before a large first one
  };

  // Only where the browser knows the attribute does the button open a camera instead of a file dialog.
  $("photograph").hidden = !("capture" in HTMLInputElement.prototype);
  $("open").addEventListener("click", () => $("file").click());
  $("photograph").addEventListener("click", () => $("camera").click());
  for (const input of [$("file"), $("camera")]) {
    input.addEventListener("change", () => {
      if (input.files.length) receive(input.files[0]);
      input.value = ""; // choosing the same file again is a change as well
    });
  }
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    if (file) receive(file);
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    $("paper").classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) $("paper").classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault(); // or the browser would leave the page to show the picture
    $("paper").classList.remove("dropping");
    const file = event.dataTransfer?.files[0];
    if (file) receive(file);
  });
}
