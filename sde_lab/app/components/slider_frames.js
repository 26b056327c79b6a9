// While a slider is dragged, touched or held by a key, draw frames of the charts at its values. Those
// of a board the server computes (sde_lab/server/slider_frames.py), nearest first, and here the
// curves that Plotly has drawn are moved; those of a sweep its figures hold already. Streamlit hears
// of the value on release, as ever; its answer then replaces the last frame. Where a frame is
// missing, one is interpolated and drawn fainter.

const UNITS = 6000; // of figures/frames.py
const GAP = -32768;
const BATCH = 8; // frames per request, at most
const COARSE = 16; // frames over the whole slider, before those around the thumb
const NEAR = 6; // stops on each side of the thumb that are fetched all
const KEPT = 400; // frames in memory
const RETRY_MS = 500;
const FAR = 5000; // pixels, beyond which a curve is cut

const caches = new Map(); // key of the frames → Map of stop → frame
let board = null; // what the page said last: token, sliders
let hand = null; // the slider under the hand
let scheduled = false;
let waiting = false; // for a server that is gone
let users = 0; // mounted components: one, or two while pages change

const still = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

// --- what the server sends ---------------------------------------------------------------------

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

async function decode(bytes) {
  const buffer = await inflate(bytes);
  const size = new DataView(buffer).getUint32(0, true);
  const frame = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
  let at = 4 + size;
  const arrays = frame.lengths.map((length) => {
    const array = new Int16Array(buffer.slice(at, at + 2 * length));
    at += 2 * length;
    return array;
  });
  for (const chart of Object.values(frame.charts)) {
    for (const trace of chart.traces) {
      trace.x = numbers(arrays[trace.x], chart.axes[trace.axes[0]]);
      trace.y = numbers(arrays[trace.y], chart.axes[trace.axes[1]]);
      trace.ends = trace.ends?.map((i) => numbers(arrays[i], chart.axes[trace.axes[1]]));
    }
  }
  return frame;
}

function numbers(integers, [low, high]) {
  const unit = (high - low) / UNITS;
  return Float64Array.from(integers, (n) => (n === GAP ? Number.NaN : low + n * unit));
}

// The frames of an answer: stop (uint32), length (uint32), frame; an empty one stands for none.
async function unpack(buffer) {
  const view = new DataView(buffer);
  const found = [];
  for (let at = 0; at < buffer.byteLength; ) {
    const [stop, size] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    found.push([stop, size ? await decode(buffer.slice(at + 8, at + 8 + size)) : null]);
    at += 8 + size;
  }
  return found;
}

// An address on the server; charts know where its files lie.
function onServer(path) {
  return new URL(path, document.querySelector(".lab-chart").sdeLab.base());
}

// Frames that the page's figures hold: of each chart a list of what it shows at the stops.
function known({ count, frames, times }) {
  const cache = new Map();
  for (let stop = 0; frames && stop < count; stop += 1) {
    const charts = Object.entries(frames).map(([key, { frame, x, y }]) => {
      const mark = ["x", x?.[stop], "y", y?.[stop]];
      return [key, { frame: frame?.[stop], marks: x || y ? [mark] : null }];
    });
    cache.set(stop, {
      charts: Object.fromEntries(charts),
      time: times?.[stop],
      approximate: false,
    });
  }
  return cache;
}

// --- which frames to ask for -------------------------------------------------------------------

// Missing stops, the most urgent first: the thumb's own, a coarse grid, then those near the thumb.
function missing(cache, stop, count) {
  const stride = Math.max(1, Math.ceil((count - 1) / COARSE));
  const coarse = [];
  for (let i = 0; i < count; i += stride) coarse.push(i);
  const near = [];
  for (let i = stop - NEAR; i <= stop + NEAR; i += 1) if (i >= 0 && i < count) near.push(i);
  const distance = (a, b) => Math.abs(a - stop) - Math.abs(b - stop);
  const ends = [0, count - 1];
  const order = [stop, ...near.filter((i) => Math.abs(i - stop) <= 1)];
  order.push(...coarse.sort(distance), ...ends, ...near.sort(distance));
  return [...new Set(order)].filter((i) => !cache.has(i)).slice(0, BATCH);
}

function cacheOf(key) {
  const cache = caches.get(key) ?? new Map();
  caches.delete(key);
  caches.set(key, cache); // the last one used comes last
  let kept = [...caches.values()].reduce((sum, { size }) => sum + size, 0);
  for (const [old, { size }] of caches) {
    if (kept <= KEPT || old === key) break;
    caches.delete(old);
    kept -= size;
  }
  return cache;
}

// Fetch until nothing is missing around the thumb, or the hand has gone elsewhere.
async function fill(owner) {
  if (owner.filling) return;
  owner.filling = true;
  try {
    while (hand === owner && board?.token) {
      const stops = missing(owner.cache, owner.stop, owner.slider.count);
      if (!stops.length) break;
      const { token } = board;
      const address = `frames/${token}/${owner.place}?stops=${stops.join(",")}`;
      const answer = await fetch(onServer(address), { signal: owner.abort.signal });
      if (answer.status === 503) await pause(RETRY_MS);
      else if (!answer.ok)
        break; // the board is gone: the next answer of the page brings another
      else await receive(owner, answer, stops);
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    waitForServer();
  } finally {
    owner.filling = false;
  }
}

async function receive(owner, answer, stops) {
  const found = await unpack(await answer.arrayBuffer());
  const cache = cacheOf(answer.headers.get("X-Frames-Key"));
  for (const [stop, frame] of found) cache.set(stop, frame);
  if (!found.length) for (const stop of stops) cache.set(stop, null);
  owner.cache = cache;
  if (hand === owner && ahead(owner)) schedule();
}

// Say once that the server is gone, and take it back when it answers again.
async function waitForServer() {
  if (waiting) return;
  waiting = true;
  say("The connection to the server is gone; the picture stays as it is until it is back.");
  const health = onServer("_stcore/health");
  let back = false;
  while (!back) {
    await pause(2 * RETRY_MS);
    back = await fetch(health).then(
      (answer) => answer.ok,
      () => false,
    );
  }
  waiting = false;
  say("");
  if (hand) fill(hand);
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const note = () => document.querySelector(".lab-connection");

function say(text) {
  const place = note();
  if (place && place.textContent !== text) place.textContent = text;
}

// --- the frame at a stop -----------------------------------------------------------------------

// The stop's own frame; else one between its neighbours, or the nearest, marked as approximate and
// without numbers: those of a neighbour would be wrong.
function frameAt(cache, stop) {
  const own = cache.get(stop);
  if (own) return own;
  let below = null;
  let above = null;
  for (const [at, frame] of cache) {
    if (!frame) continue;
    if (at < stop && (below === null || at > below)) below = at;
    if (at > stop && (above === null || at < above)) above = at;
  }
  if (below === null && above === null) return null;
  if (below === null || above === null) {
    return { charts: cache.get(below ?? above).charts, approximate: true };
  }
  return between(cache.get(below), cache.get(above), (stop - below) / (above - below));
}

function between(a, b, share) {
  const charts = {};
  for (const [key, chart] of Object.entries(a.charts)) {
    const other = b.charts[key];
    const axes = {};
    for (const [axis, range] of Object.entries(chart.axes)) {
      axes[axis] = mix(range, other.axes[axis] ?? range, share);
    }
    const others = new Map(other.traces.map((trace) => [trace.uid, trace]));
    const traces = chart.traces.map((trace) => {
      const end = others.get(trace.uid);
      if (!end || end.x.length !== trace.x.length) return trace;
      const ends = trace.ends?.map((values, i) => mix(values, end.ends[i], share));
      return { ...trace, x: mix(trace.x, end.x, share), y: mix(trace.y, end.y, share), ends };
    });
    charts[key] = { ...chart, axes, traces };
  }
  return { charts, approximate: true };
}

const mix = (a, b, share) => a.map((value, i) => value + share * (b[i] - value));

// --- drawing -----------------------------------------------------------------------------------

function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    if (hand && (hand.drawn || ahead(hand))) draw(hand, false);
  });
}

// Draw the frame under the thumb; `exactly` only if it is there and rests on all samples.
function draw(owner, exactly) {
  const frame = frameAt(owner.cache, owner.stop);
  if (!frame || (exactly && frame.approximate)) return;
  const figures = document.querySelector(".lab-figures");
  if (!owner.drawn) {
    owner.readout = figures?.innerHTML;
    owner.texts = texts().map((node) => [node, node.data]);
  }
  for (const [key, chart] of Object.entries(frame.charts)) {
    const node = document.querySelector(`.st-key-${key.replace(/[^\w-]/g, "-")} .lab-chart`);
    if (node) drawChart(node, chart, frame.approximate);
  }
  if (figures) drawReadout(figures, frame);
  owner.drawn = true;
  dragging(!drawTexts(frame));
  // For whoever wants to know what is on show: the slider's value, once its own frame is.
  note().dataset.value = frame.approximate ? "" : owner.slider.low + owner.stop * owner.slider.step;
}

function drawChart(node, chart, approximate) {
  const state = node.sdeLab;
  if (!state?.ready || !node._fullLayout) return;
  if (!chart.traces) {
    if (chart.frame !== undefined) state.showFrame(chart.frame);
    drawMarks(node, chart);
    return;
  }
  state.fit(chart.axes);
  const groups = new Map();
  for (const group of node.querySelectorAll(".scatterlayer .trace, .lab-added"))
    groups.set(uidOf(group), group);
  for (const trace of chart.traces) {
    const [x, y] = trace.axes.map((axis) => scaleOf(node, chart, axis));
    if (!x || !y) return; // not the chart that is known here: it changes on release
    const hidden = state.visible[trace.uid] === "legendonly";
    const group = groups.get(trace.uid) ?? (hidden ? null : added(node, trace));
    if (trace.bars) node.classList.add("lab-bars-moved"); // Plotly's own are hidden
    groups.delete(trace.uid);
    if (group) drawTrace(group, trace, x, y);
  }
  for (const group of groups.values()) blank(group);
  drawMarks(node, chart);
  drawTitles(node, chart.titles);
  drawNotes(node, chart.notes);
  node.classList.toggle("lab-approximate", approximate);
}

// Plotly writes a trace's uid into its class.
function uidOf(group) {
  if (group.dataset.uid) return group.dataset.uid;
  const own = [...group.classList].find((name) => name.startsWith("trace") && name !== "trace");
  return own ? own.slice("trace".length) : "";
}

// From a value to pixels: offset + factor · value. An axis without numbers takes the frame's own
// range; others keep theirs, so that what is read off them stays right.
function scaleOf(node, chart, id) {
  const axis = node._fullLayout[`${id[0]}axis${id.slice(1)}`];
  const range = axis?.fixedrange && chart.axes ? chart.axes[id] : axis?.range;
  if (!range || !axis._length) return null;
  const span = range[1] - range[0];
  const factor = (id[0] === "x" ? 1 : -1) * (axis._length / span);
  const offset = id[0] === "x" ? -range[0] * factor : axis._length - range[0] * factor;
  return { factor, offset, start: axis._offset };
}

function drawTrace(group, trace, x, y) {
  if (trace.markers) {
    drawMarkers(group, trace, x, y);
    return;
  }
  const parts = segments(trace, x, y);
  for (const fill of group.querySelectorAll("path.js-fill")) {
    fill.setAttribute("d", parts.length ? `${parts.join("")}Z` : "M0,0");
  }
  if (!trace.line[1]) return;
  const lines = group.querySelectorAll("path.js-line");
  lines.forEach((line, i) => {
    const last = i === lines.length - 1;
    line.setAttribute("d", (last ? parts.slice(i).join("") : parts[i]) || "M0,0");
  });
}

function segments(trace, x, y) {
  const parts = [];
  let part = "";
  for (let i = 0; i < trace.y.length; i += 1) {
    const across = pixels(x, trace.x[i]);
    const down = pixels(y, trace.y[i]);
    if (Number.isNaN(across + down)) {
      if (part) parts.push(part);
      part = "";
    } else part += `${part ? "L" : "M"}${across},${down}`;
  }
  if (part) parts.push(part);
  return parts;
}

const pixels = ({ factor, offset }, value) =>
  Math.round(10 * Math.max(-FAR, Math.min(FAR, offset + factor * value))) / 10;

// Markers with their error bars; points that are not known have none.
function drawMarkers(group, trace, x, y) {
  const places = [...trace.x.keys()].filter((i) => !Number.isNaN(trace.x[i] + trace.y[i]));
  const points = asMany(group.querySelectorAll(".points path.point"), places.length);
  points.forEach((point, n) => {
    const i = places[n];
    const at = `translate(${pixels(x, trace.x[i])},${pixels(y, trace.y[i])})`;
    point.setAttribute("transform", at);
  });
  if (trace.ends) drawErrorBars(group, trace, x, y);
}

// Plotly has an element for each point, with a path where the error is known.
function drawErrorBars(group, trace, x, y) {
  const bars = group.querySelectorAll(".errorbar");
  if (bars.length !== trace.x.length) return;
  const example = group.querySelector("path.yerror");
  bars.forEach((bar, i) => {
    const [from, to] = trace.ends.map((values) => pixels(y, values[i]));
    let path = bar.querySelector("path.yerror");
    if (Number.isNaN(from + to)) path?.remove();
    else {
      if (!path && example) path = bar.appendChild(example.cloneNode());
      path?.setAttribute("d", `M${pixels(x, trace.x[i])},${from}V${to}`);
    }
  });
}

// As many of these alike elements as are needed: more are copied, others hidden. Plotly takes both
// back when it draws.
function asMany(elements, count) {
  const all = [...elements];
  while (all.length && all.length < count) {
    const copy = all[0].cloneNode(true);
    all[0].parentNode.append(copy);
    all.push(copy);
  }
  all.forEach((element, n) => {
    element.style.display = n < count ? "" : "none";
  });
  return all.slice(0, count);
}

function blank(group) {
  for (const path of group.querySelectorAll("path.js-fill, path.js-line")) {
    path.setAttribute("d", "M0,0");
  }
}

// A curve that the chart did not have before: on release Plotly draws it, and this one goes.
function added(node, trace) {
  const panel = node.querySelector(`.${trace.axes.join("")} > .mlayer`)?.parentElement;
  const layer = panel?.querySelector(".scatterlayer") ?? panel;
  if (!layer || trace.markers) return null;
  const element = (name, className) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    made.setAttribute("class", className);
    return made;
  };
  const group = element("g", "lab-added");
  group.dataset.uid = trace.uid;
  const [colour, width, dash] = trace.line;
  if (trace.fill) {
    const fill = element("path", "js-fill");
    fill.style.cssText = `fill: ${trace.fill}; stroke-width: 0`;
    group.append(fill);
  }
  const line = element("path", "js-line");
  const pattern = dash === "solid" ? "none" : dash;
  line.style.cssText = `fill: none; stroke: ${colour}; stroke-width: ${width}px; stroke-dasharray: ${pattern}`;
  group.append(line);
  layer.append(group);
  return group;
}

// Move the marks of a chart: lines and rings, [x axis, x] or [x axis, x, y axis, y], and intervals,
// [x axis, from, to].
function drawMarks(node, chart) {
  if (!chart.marks) return;
  for (const shape of node.querySelectorAll(".shapelayer path[data-index]")) {
    const [across, ...values] = chart.marks[shape.dataset.index] ?? [];
    const up = typeof values[1] === "string" ? values[1] : null;
    const places = values.map((value, i) => {
      if (value === undefined || value === up) return null; // it stays there
      const scale = value === null ? null : scaleOf(node, chart, up && i > 0 ? up : across);
      return scale ? scale.start + pixels(scale, value) : Number.NaN;
    });
    const there = places.length > 0 && !places.some(Number.isNaN);
    shape.style.visibility = there ? "" : "hidden";
    if (!there) continue;
    const [x, other, y] = places;
    const ring = shape.getAttribute("d").includes("A");
    shape.setAttribute("d", ring ? ringAt(shape, x, y) : upright(shape, x, other ?? x));
  }
}

// The path of a vertical line, or of an interval as high as the panel, elsewhere.
function upright(shape, from, to) {
  const d = shape.getAttribute("d");
  const box = shape.getBBox();
  if (!d.includes("H")) return d.replace(/([ML])[^,]+,/g, `$1${from},`);
  return `M${from},${box.y + box.height}H${to}V${box.y}H${from}Z`;
}

// The path of a ring, of circular arcs, elsewhere.
function ringAt(shape, x, y) {
  const d = shape.getAttribute("d");
  const box = shape.getBBox();
  const across = x === null ? 0 : x - (box.x + box.width / 2);
  const down = y === null ? 0 : y - (box.y + box.height / 2);
  const end = /(M|A[^A]*?[01],[01] )(-?[\d.e+-]+),(-?[\d.e+-]+)/g;
  return d.replace(end, (_, start, a, b) => `${start}${Number(a) + across},${Number(b) + down}`);
}

// Of a note what stands between its tags, or only what follows the last one: a number.
function drawNotes(node, notes) {
  node.querySelectorAll(".annotation .annotation-text").forEach((text, i) => {
    const note = notes[i] ?? "";
    const words = note.split(/<[^>]*>/).filter(Boolean);
    const parts = textsIn(text);
    const last = text.lastChild;
    if (parts.length === words.length) for (const part of parts) write(part, words.shift());
    else if (last?.nodeType === Node.TEXT_NODE) write(last, note.split(">").at(-1));
  });
}

function drawTitles(node, titles) {
  for (const [axis, title] of Object.entries(titles)) {
    const parts = textsIn(node.querySelector(`.g-${axis}title text`));
    if (parts.length === 1 && !/[<$]/.test(title)) write(parts[0], title);
  }
}

// Other words for a text that others have drawn, who must find their own node when they draw anew.
function write(text, words) {
  if (words && text.data !== words) text.data = words;
}

function textsIn(element) {
  if (!element) return [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) if (walker.currentNode.data) found.push(walker.currentNode);
  return found;
}

// The numbers of the equation, and the time above the slider of the time cursor.
const equation = () =>
  textsIn(document.querySelector(".st-key-formulas")).filter(({ parentElement }) =>
    parentElement.matches(".katex-html .textrm"),
  );
const time = () =>
  textsIn(document.querySelector('[class*="st-key-time_"] [data-testid="stMarkdownContainer"]'));
const texts = () => [...equation(), ...time()];

// Write them for a frame; return whether the numbers of the equation are now right.
function drawTexts(frame) {
  const [place] = time();
  if (place && frame.time) write(place, frame.time);
  const places = equation();
  if (frame.equation?.length !== places.length) return false;
  places.forEach((number, i) => {
    write(number, frame.equation[i]);
  });
  return true;
}

function drawReadout(figures, { readout, approximate }) {
  figures.classList.toggle("lab-approximate", approximate);
  const cells = figures.querySelectorAll(".lab-figure");
  if (cells.length !== readout?.length) return;
  cells.forEach((cell, i) => {
    const [name, value, comparison, tooltip] = readout[i];
    cell.querySelector(".lab-name").textContent = name;
    cell.querySelector(".lab-value").textContent = value;
    const exact = cell.querySelector(".lab-exact");
    exact.textContent = `${comparison}\u00a0`;
    exact.title = tooltip;
  });
}

// --- the hand ----------------------------------------------------------------------------------

// The slider that an element belongs to. Symbols such as σ and κ of typed equations give the same
// class, so sliders of one class are told apart by their order.
function sliderAt(element) {
  const box = element?.closest?.('[data-testid="stSlider"]');
  const input = box?.querySelector('input[type="range"]');
  const own = box?.closest('[class*="st-key-"]');
  if (!input || !own || !board) return null;
  for (const name of own.classList) {
    const places = board.sliders.flatMap((slider, i) => (slider.class === name ? [i] : []));
    if (!places.length) continue;
    const alike = [...document.querySelectorAll(`.${CSS.escape(name)} input[type="range"]`)];
    const place = places[alike.indexOf(input)];
    if (place !== undefined) return { place, input, slider: board.sliders[place] };
  }
  return null;
}

function stopOf(value, { low, step, count }) {
  return Math.max(0, Math.min(count - 1, Math.round((Number(value) - low) / step)));
}

// Whether the thumb stands elsewhere than where the page's last answer had it.
function ahead({ place, stop }) {
  const slider = board?.sliders[place];
  return slider && stop !== stopOf(slider.value, slider);
}

function take(event) {
  const found = sliderAt(event.target);
  if (!found) {
    letGo();
    return;
  }
  if (hand?.input === found.input || still()) return;
  letGo();
  note().dataset.value = "";
  hand = { ...found, cache: known(found.slider), abort: new AbortController(), drawn: false };
  hand.stop = stopOf(hand.input.value, hand.slider);
  hand.observer = new MutationObserver(moved);
  hand.observer.observe(found.input, { attributes: true, attributeFilter: ["aria-valuetext"] });
  hold(true);
  fill(hand);
}

function moved() {
  if (!hand) return;
  const stop = stopOf(hand.input.value, hand.slider);
  if (stop === hand.stop) return;
  hand.stop = stop;
  schedule();
  fill(hand);
}

// While a hand is on a slider axes stay where they are, if they can: see chart.js.
function hold(so) {
  for (const node of document.querySelectorAll(".lab-chart")) node.sdeLab.holding = so;
}

function letGo() {
  if (!hand) return;
  hand.observer.disconnect();
  hand.abort.abort();
  hand = null;
  hold(false);
}

// Released where the page has it already: no answer will come that replaces the frame.
function released() {
  if (!hand) return;
  moved();
  if (!hand.drawn || ahead(hand)) return;
  if (hand.slider.frames) draw(hand, false); // Plotly has drawn these, and has no other picture
  hand.drawn = false;
  dragging(false);
  if (hand.slider.frames) return;
  const figures = document.querySelector(".lab-figures");
  if (figures) figures.innerHTML = hand.readout;
  figures?.classList.remove("lab-approximate");
  for (const [node, text] of hand.texts) write(node, text);
  for (const node of charts()) node.sdeLab.redraw();
}

// The equation's numbers are faint while they are not those of the picture.
function dragging(so) {
  document.documentElement.classList.toggle("lab-dragging", so);
}

const charts = () => [...document.querySelectorAll(".lab-chart")].filter((n) => n.sdeLab.ready);

// Plotly has drawn an answer; while the thumb is elsewhere already, its frame stays on show.
function answered() {
  if (hand && ahead(hand)) draw(hand, true);
  else dragging(false);
}

const LISTENERS = {
  pointerdown: take,
  focusin: take,
  pointerup: released,
  pointercancel: released,
  keyup: released,
  "lab-drawn": answered,
};

function listen(way) {
  for (const [name, listener] of Object.entries(LISTENERS)) document[way](name, listener, true);
}

export default function ({ data, parentElement }) {
  if (!parentElement.querySelector(".lab-connection")) {
    const place = document.createElement("div");
    place.className = "lab-connection";
    place.setAttribute("role", "status");
    parentElement.append(place);
    users += 1;
    if (users === 1) listen("addEventListener");
  }
  board = data;
  if (hand?.slider.frames) {
    hand.slider = data.sliders[hand.place] ?? hand.slider;
    hand.cache = known(hand.slider);
  }
  if (hand && !ahead(hand)) hand.drawn = false; // the answer to where the thumb stands is coming
  if (!hand?.drawn) dragging(false);
  note().dataset.token = data.token;
  if (hand) fill(hand);
  return () => {
    parentElement.querySelector(".lab-connection")?.remove();
    users -= 1;
    if (users > 0) return;
    letGo();
    board = null;
    listen("removeEventListener");
  };
}
