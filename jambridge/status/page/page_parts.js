/** Small things that the page's parts share. */

/** Change an element's text only where it differs: what did not change is not read out, nor laid out, again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** As `setText`, for an attribute. */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Keep one child of `list` for each of `values`, in their order: made, shown, and removed when theirs is gone. */
export function fill(list, values, items, { key, make, show }) {
  const keys = new Set(values.map(key));
  for (const [known, item] of items) {
    if (keys.has(known)) continue;
    item.element.remove();
    items.delete(known);
  }
  for (const [place, value] of values.entries()) {
    if (!items.has(key(value))) items.set(key(value), make(value));
    const item = items.get(key(value));
    show(item, value);
    if (list.children[place] !== item.element) list.insertBefore(item.element, list.children[place] ?? null);
  }
}

/** A level in dBFS as the share of a meter that lights up, 0..1 over 60 dB. */
export function share(dbfs) {
  return Math.min(1, Math.max(0, 1 + dbfs / 60));
}

export function setLevel(element, dbfs) {
  const level = share(dbfs).toFixed(2);
  if (element.dataset.level === level) return;
  element.dataset.level = level;
  element.style.setProperty("--level", level);
}

/** A slider that says what it stands at, and keeps what a person sets until they let go. */
export function slide(label, changed) {
  const [input, output] = [label.querySelector("input"), label.querySelector("output")];
  const tell = () => setText(output, `${input.value} %`);
  input.addEventListener("input", () => {
    input.dataset.held = "true";
    tell();
    changed(Number(input.value) / 100);
  });
  for (const event of ["change", "blur"]) input.addEventListener(event, () => setTimeout(() => delete input.dataset.held, 300));
  return (value) => {
    if (input.dataset.held) return;
    input.value = String(Math.round(100 * value));
    tell();
  };
}

export function setPressed(button, pressed) {
  setAttribute(button, "aria-pressed", String(pressed));
}

/** Offer `options`, [value, words] each, and choose one; a value that is not among them is one more. */
export function offer(select, options, value) {
  const all = options.some(([one]) => one === value) ? options : [...options, [value, value]];
  const wanted = JSON.stringify(all);
  if (select.dataset.options !== wanted) {
    select.dataset.options = wanted;
    select.replaceChildren(...all.map(([one, words]) => new Option(words, one)));
  }
  if (select !== document.activeElement && select.value !== value) select.value = value;
}

/** As it is printed: signs for accidentals. */
export function spelled(words) {
  return words.replace(/([A-G])#/g, "$1♯").replace(/([A-G])b/g, "$1♭");
}

/** Hours and minutes here. */
export function clock(moment) {
  return new Date(moment).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** A colour for an id, the same on every screen; as the jam page has it. */
export function hue(id) {
  const sum = [...id].reduce((total, character) => (total * 31 + character.codePointAt(0)) % 65_521, 7);
  return (sum % 12) * 30;
}
