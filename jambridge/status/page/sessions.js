/** What was played before, and going on with it. */

import { ask, RefusalError, tell } from "./api.js";
import { fill, setText, spelled } from "./page_parts.js";

const MOST = 8;
const FRESH_MS = 24 * 3600e3;

export class Sessions {
  #parts;
  #room = null;
  #saved = undefined;
  #rows = new Map();

  /** @param parts the elements: list, template, none, dialog, title, text; and `failed`, called with a sentence */
  constructor(parts) {
    this.#parts = parts;
  }

  /** @param status the whole: read again when something was stored */
  show({ room, store }) {
    const isClosed = store.backend === "none"; // it opens a moment after the box has started
    if (isClosed || (this.#saved === store.saved_at && this.#room === room.code)) return;
    this.#saved = store.saved_at;
    this.#room = room.code;
    this.#read();
  }

  async #read() {
    const { list, none, failed } = this.#parts;
    try {
      const { sessions } = await ask(`/api/sessions?brief=1&limit=${MOST}`);
      none.hidden = sessions.length > 0;
      fill(list, sessions, this.#rows, {
        key: ({ id }) => id,
        make: (session) => this.#made(session),
        show: ({ element }, session) => this.#show(element, session),
      });
    } catch (error) {
      if (!(error instanceof RefusalError)) throw error;
      failed(error.message);
    }
  }

  #made({ id, created_at: created }) {
    const element = this.#parts.template.content.firstElementChild.cloneNode(true);
    element.querySelector("b").textContent = id;
    const button = element.querySelector("button");
    button.setAttribute("aria-label", `Resume ${id}`);
    button.addEventListener("click", () => this.#confirm(id, Date.now() - Date.parse(created) > FRESH_MS));
    return { element };
  }

  #show(element, { id, created_at: created, state: { metadata = {}, music = {} } }) {
    element.querySelector("time").dateTime = created;
    setText(element.querySelector("time"), day(created));
    setText(element.querySelector(".hint"), about(music, metadata));
    element.querySelector("button").hidden = id === this.#room;
  }

  #confirm(id, isOld) {
    const { dialog, title, text } = this.#parts;
    setText(title, `Resume ${id}?`);
    const goal = isOld ? "opens a new room with its music" : `goes to the room ${id}`;
    setText(text, `The box leaves this room and ${goal}. Who plays here stays, without it.`);
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => dialog.returnValue === "yes" && this.#resume(id), { once: true });
    dialog.showModal();
  }

  async #resume(id) {
    try {
      await tell("/api/sessions/resume", { id });
    } catch (error) {
      if (!(error instanceof RefusalError)) throw error;
      this.#parts.failed(error.message);
    }
  }
}

function day(moment) {
  return new Date(moment).toLocaleString([], { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

/** Another program's session may lack any of it. */
function about({ tempo, key, scale }, { durationMinutes: minutes, sessionName: name }) {
  const known = [
    typeof name === "string" ? name : "",
    Number.isFinite(tempo) ? `${Math.round(tempo)} bpm` : "",
    typeof key === "string" && typeof scale === "string" ? `${spelled(key)} ${scale}` : "",
    Number.isFinite(minutes) && minutes > 0 ? `${minutes} min` : "",
  ];
  return known.filter(Boolean).join(" · ");
}
