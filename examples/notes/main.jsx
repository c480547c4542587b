import { createKVStore } from "anykv/reactive";
import { useKV } from "anykv/reactive/react";
import { StrictMode, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";

// Each note has a key of its own, so that two tabs may write in two notes at once. One more key keeps their order.
const notes = createKVStore("notes");
const ORDER = "order";

const STATUS = { init: "loading", ready: "kept in this browser", removed: "deleted" };

function Note({ id, isNew, onDelete }) {
  const [{ data, status, error }, note] = useKV(id, { title: "", text: "", changed: null }, notes);
  const title = useRef(null);
  useEffect(() => {
    if (isNew) title.current.focus();
  }, [isNew]);
  if (data === undefined) return null;

  const change = (field) => (event) => {
    note.data[field] = event.target.value;
    note.data.changed = new Date();
  };
  return (
    <li className="note">
      <label htmlFor={`${id}-title`}>Title</label>
      <input
        id={`${id}-title`}
        ref={title}
        value={data.title}
        onChange={change("title")}
        autoComplete="off"
      />
      <label htmlFor={`${id}-text`}>Text</label>
      <textarea id={`${id}-text`} value={data.text} onChange={change("text")} />
      <div className="bar">
        {status === "error" ? (
          <span className="bad">not kept: {error.message}</span>
        ) : (
          <span className="quiet">{data.changed?.toLocaleString() ?? "empty"}</span>
        )}
        <button
          className="plain"
          type="button"
          onClick={() => onDelete(id)}
          aria-label={`Delete ${data.title || "the untitled note"}`}
        >
          Delete
        </button>
      </div>
    </li>
  );
}

function Notes() {
  const [{ data: ids, status, error }, order] = useKV(ORDER, [], notes);
  const [newest, setNewest] = useState(null);
  const isOffline = useOffline();

  function add() {
    const id = `note-${crypto.randomUUID()}`;
    order.data.unshift(id);
    setNewest(id);
  }
  function remove(id) {
    order.data = order.data.filter((other) => other !== id);
    notes.remove(id);
  }
  return (
    <main>
      <header>
        <h1>Notes</h1>
        <button type="button" onClick={add}>
          New note
        </button>
      </header>
      <p className="quiet" role="status">
        {ids.length === 1 ? "1 note" : `${ids.length} notes`},{" "}
        {status === "error" ? `not kept: ${error.message}` : STATUS[status]}
        {isOffline && ", offline"}
      </p>
      <ul className="notes">
        {ids.map((id) => (
          <Note key={id} id={id} isNew={id === newest} onDelete={remove} />
        ))}
      </ul>
    </main>
  );
}

function useOffline() {
  const [isOffline, setOffline] = useState(!navigator.onLine);
  useEffect(() => {
    const look = () => setOffline(!navigator.onLine);
    for (const event of ["online", "offline"]) addEventListener(event, look);
    return () => {
      for (const event of ["online", "offline"]) removeEventListener(event, look);
    };
  }, []);
  return isOffline;
}

createRoot(document.getElementById("app")).render(
  <StrictMode>
    <Notes />
  </StrictMode>,
);

// The page itself, for when there is no network.
if (import.meta.env.PROD && "serviceWorker" in navigator) {
  navigator.serviceWorker.addEventListener(
    "message",
    ({ data }) => (document.documentElement.dataset.ready = data),
  );
  await navigator.serviceWorker.register("/worker.js");
  const { active } = await navigator.serviceWorker.ready;
  active.postMessage([
    "/",
    ...performance
      .getEntriesByType("resource")
      .map(({ name }) => name)
      .filter((name) => name.startsWith(location.origin)),
  ]);
}
