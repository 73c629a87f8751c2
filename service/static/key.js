// The key, if the service needs one: kept only for this tab, sent with each request.
//
//   answer 401 -> the page shows a field -> keep(text) -> ask(path) sends it as Authorization: Bearer
//
// sessionStorage forgets it when the tab is closed; nothing else of the browser ever holds it.

const NAME = "digits-key";
let key = stored();

function stored() {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return ""; // storage may be switched off: the key then lasts until the page is left
  }
}

export const hasKey = () => key !== "";

export function keep(text) {
  key = text.trim();
  try {
    if (key) sessionStorage.setItem(NAME, key);
    else sessionStorage.removeItem(NAME);
  } catch {
    // see above
  }
}

// fetch, with the key where there is one. A header holds bytes, so a key beyond ASCII goes as its UTF-8.
export function ask(path, options = {}) {
  const bytes = String.fromCharCode(...new TextEncoder().encode(key));
  return fetch(path, key ? { ...options, headers: { Authorization: `Bearer ${bytes}` } } : options);
}
