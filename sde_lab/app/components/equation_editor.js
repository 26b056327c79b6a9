// A text area commits on Ctrl+Enter or when it is left. Here a pause in typing commits it too, so
// that the equation is drawn while it is typed. Nothing else of the widget is touched.

const PAUSE = 450; // ms
let timer = null;

function commit(area) {
  if (!area.isConnected) return;
  area.dispatchEvent(
    new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true, cancelable: true }),
  );
}

function onInput(event) {
  if (!event.target.matches?.(".st-key-equation textarea")) return;
  clearTimeout(timer);
  timer = setTimeout(commit, PAUSE, event.target);
}

export default function () {
  document.addEventListener("input", onInput); // adding the same listener again changes nothing
  return () => document.removeEventListener("input", onInput);
}
