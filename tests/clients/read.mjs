// All digits of one picture, line by line, with fetch.    node read.mjs http://127.0.0.1:8080 page.png

import { readFile } from "node:fs/promises";

const [url, path] = process.argv.slice(2);
const form = new FormData();
form.append("file", new Blob([await readFile(path)]), "page.png");
const response = await fetch(`${url}/read`, { method: "POST", body: form });
const answer = await response.json();
if (!response.ok) {
  console.error(`${answer.title} ${answer.detail}`);
  process.exit(1);
}
console.log(answer.text);
