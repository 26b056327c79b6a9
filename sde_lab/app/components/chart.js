// Plotly in a node that stays. What the reader zoomed into (by axis) and hid (by the trace's
// uid) is kept here, so that new data never takes it away; charts of one link share their time range.

const links = new Map();
let library = null;

function load(path) {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL(path, base());
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      library = null;
      script.remove();
      reject(new Error(`could not load ${script.src}`));
    };
    document.head.append(script);
  });
  return library;
}

// Where the server's own files lie: right on sub-pages, below a base path and behind a proxy.
function base() {
  const own = document.querySelector('script[type="module"][src*="static/js/"]');
  return own ? own.src.replace(/static\/js\/.*$/, "") : new URL("./", document.baseURI).href;
}

function linkOf(state) {
  if (!state.link) return state.own;
  if (!links.has(state.link)) links.set(state.link, { nodes: new Set(), range: null });
  return links.get(state.link);
}

// The range an event gave to an axis, or undefined.
function rangeIn(event, axis) {
  if (event[`${axis}.range`]) return event[`${axis}.range`];
  if (`${axis}.range[0]` in event) return [event[`${axis}.range[0]`], event[`${axis}.range[1]`]];
  return undefined;
}

function onRelayout(node, event) {
  const state = node.sdeLab;
  if (state.busy) return;
  for (const axis of Object.keys(state.home)) {
    const range = rangeIn(event, axis);
    if (!range) continue;
    if (state.time.includes(axis)) share(node, range);
    else state.zoom[axis] = range;
  }
}

function onRestyle(node, change, places) {
  if (!("visible" in change)) return;
  for (const place of places) {
    const { uid, visible } = node.data[place];
    node.sdeLab.visible[uid] = visible;
  }
}

function share(node, range) {
  const link = linkOf(node.sdeLab);
  link.range = range;
  for (const other of link.nodes) if (other !== node) show(other);
}

// Bring every axis to where it belongs: zoomed, or home.
function show(node) {
  const { home, ready } = node.sdeLab;
  if (!ready) return;
  const change = {};
  for (const axis of Object.keys(home)) {
    const [from, to] = wanted(node.sdeLab, axis);
    const now = node.layout[axis].range;
    if (now[0] !== from || now[1] !== to) change[`${axis}.range`] = [from, to];
  }
  if (!Object.keys(change).length) return;
  node.sdeLab.busy = true;
  Promise.resolve(window.Plotly.relayout(node, change)).finally(() => {
    node.sdeLab.busy = false;
  });
}

function wanted(state, axis) {
  const zoomed = state.time.includes(axis) ? linkOf(state).range : state.zoom[axis];
  return zoomed ?? state.home[axis];
}

// Where an axis stays while a hand moves a slider: it grows at once with what it must show, and
// shrinks only when most of it is empty. So neither a drag nor its end makes it jump.
function hold([low, high], [from, to]) {
  const span = high - low;
  if (from >= low && to <= high && to - from >= 0.4 * span) return [low, high];
  if (to - from < 0.4 * span) return [from, to];
  return [Math.min(low, from), Math.max(high, to)];
}

// Fit the axes to a frame that is drawn over the chart.
function fit(node, ranges) {
  const state = node.sdeLab;
  for (const axis of Object.keys(state.home)) {
    const range = ranges[axis.replace("axis", "")];
    if (!range) continue;
    state.home[axis] = state.time.includes(axis) ? range : hold(state.home[axis], range);
  }
  show(node);
}

function reset(node) {
  node.sdeLab.zoom = {};
  share(node, null);
  show(node);
}

// Another component, or another model or horizon: what was zoomed into is no longer there.
function forget(state, layout) {
  if (state.revision !== layout.uirevision) state.zoom = {};
  state.revision = layout.uirevision;
  if (!state.time.length) return;
  const link = linkOf(state);
  const scene = JSON.stringify([layout.meta.scene, state.home[state.time[0]]]);
  if (link.scene !== scene) link.range = null;
  link.scene = scene;
}

// --- an animation: frames of the figure, a slider and a button below the chart -----------------

const FRAME_MS = 180;
const AT_ONCE = {
  mode: "immediate",
  frame: { duration: 0, redraw: false },
  transition: { duration: 0 },
};
const PLAY = "\u25b6\ufe0e";
const PAUSE = "\u2759\u2759";

// Draw a frame of the figure, by its name. The slider below the chart, its button and a hand on a
// slider of the page all come here. Frames wait for what is being drawn, and the newest is drawn:
// Plotly may keep the older one if two are asked for at once.
function showFrame(node, name) {
  const state = node.sdeLab;
  if (state.animation) state.frame = name;
  tellAnimation(state);
  const waits = state.next !== null;
  state.next = name;
  if (waits) return;
  state.work = state.work.then(() => {
    const newest = state.next;
    state.next = null;
    return drawFrame(node, newest);
  });
}

async function drawFrame(node, name) {
  if (!node.sdeLab.ready || node.sdeLab.pending) return; // a figure begins with its frame: see cue
  const ranges = node.layout.meta?.ranges;
  if (ranges) fit(node, { y: ranges[Number(name)] });
  await window.Plotly.animate(node, [name], AT_ONCE).catch(() => {}); // there is no such frame now
}

// It goes on at the frame that was shown last, as long as there is that frame; where the sidebar
// has moved the parameter since, at that value.
function cue(state, figure) {
  if (!state.animation) return;
  const place = state.animation.names.indexOf(state.frame);
  const shown = figure.frames[place]?.data ?? [];
  shown.forEach((change, number) => {
    Object.assign(figure.data[number], structuredClone(change)); // Plotly writes into the trace
  });
}

function tellAnimation({ animation, frame, controls }) {
  if (!animation) return;
  const { range, value } = controls;
  range.value = String(animation.names.indexOf(frame));
  range.setAttribute("aria-valuetext", frame);
  value.textContent = `${animation.symbol} = ${frame}`;
}

function setAnimation(node, animation) {
  const state = node.sdeLab;
  if (!animation) return;
  state.controls ??= createControls(node);
  const { bar, range, value } = state.controls;
  // While a sweep still computes, its frames come one by one: where the reader has chosen none, the
  // nearest to the sidebar's value is another one each time.
  const { now, names, start } = state.animation ?? {};
  const chosen = now === animation.now && state.frame !== names[start];
  if (!chosen || !animation.names.includes(state.frame)) {
    state.frame = animation.names[animation.start];
  }
  state.animation = animation;
  range.max = String(animation.names.length - 1);
  range.setAttribute("aria-label", animation.symbol);
  const longest = Math.max(...animation.names.map((name) => name.length));
  value.style.minWidth = `${longest + animation.symbol.length + 3}ch`;
  bar.style.setProperty("--lab-animation-colour", animation.colour);
  tellAnimation(state);
}

function createControls(node) {
  const make = (name, className) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    return element;
  };
  const bar = make("div", "lab-animation");
  const [play, value, range] = [make("button"), make("span"), make("input")];
  play.type = "button";
  range.type = "range";
  range.min = "0";
  bar.append(play, value, range);
  node.after(bar);
  play.addEventListener("click", () =>
    (node.sdeLab.playing ? pauseAnimation : playAnimation)(node),
  );
  range.addEventListener("input", () => {
    const { animation } = node.sdeLab;
    pauseAnimation(node);
    showFrame(node, animation.names[Number(range.value)]);
  });
  label(play, false);
  return { bar, play, value, range };
}

function label(play, playing) {
  play.textContent = playing ? PAUSE : PLAY;
  play.setAttribute("aria-label", playing ? "Pause" : "Play");
}

// From the frame on show to the last one; from the first, if that is the last.
function playAnimation(node) {
  const state = node.sdeLab;
  const next = () => {
    const { names } = state.animation;
    const place = names.indexOf(state.frame) + 1;
    if (place < names.length) showFrame(node, names[place]);
    if (place >= names.length - 1) pauseAnimation(node);
  };
  state.playing = setInterval(next, FRAME_MS);
  label(state.controls.play, true);
  const { names } = state.animation;
  if (state.frame === names.at(-1)) showFrame(node, names[0]);
  else next();
}

function pauseAnimation(node) {
  const state = node.sdeLab;
  clearInterval(state.playing);
  state.playing = null;
  label(state.controls.play, false);
}

// --- drawing -----------------------------------------------------------------------------------

function prepare(node, figure) {
  const { layout } = figure;
  const state = node.sdeLab;
  cue(state, figure);
  const axes = Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name));
  const free = axes.filter((name) => layout[name].range && !layout[name].fixedrange);
  const former = state.holding && state.revision === layout.uirevision ? state.home : {};
  state.time = layout.meta?.time ?? [];
  state.home = Object.fromEntries(
    free.map((name) => {
      const { range } = layout[name];
      const held = former[name] && !state.time.includes(name);
      return [name, held ? hold(former[name], range) : range];
    }),
  );
  forget(state, layout);
  for (const axis of Object.keys(state.home)) layout[axis].range = [...wanted(state, axis)];
  for (const trace of figure.data) trace.visible = state.visible[trace.uid] ?? trace.visible;
  if (window.matchMedia("(pointer: coarse)").matches) layout.dragmode = false;
  const bar = layout.showlegend === false ? 0 : (layout.margin?.t ?? 0);
  node.style.setProperty("--lab-chart-bar", `${bar}px`);
  layout.width = node.clientWidth;
  layout.height = node.clientHeight;
}

function picture(node) {
  const layout = { ...node.layout, paper_bgcolor: node.layout.meta?.ground ?? "#ffffff" };
  const { animation, frame } = node.sdeLab;
  if (animation)
    layout.title = { text: `${animation.symbol} = ${frame}`, x: 0.98, xanchor: "right" };
  const { clientWidth: width, clientHeight: height } = node;
  const options = { format: "png", scale: 2, width, height, filename: node.sdeLab.filename };
  window.Plotly.downloadImage({ data: node.data, layout }, options);
}

function settings(node) {
  const { Icons } = window.Plotly;
  return {
    displaylogo: false,
    doubleClick: false,
    scrollZoom: false,
    modeBarButtons: [
      [
        { name: "picture", title: "Save as PNG", icon: Icons.camera, click: picture },
        { name: "reset", title: "Whole range", icon: Icons.home, click: () => reset(node) },
      ],
    ],
  };
}

// Draw the newest figure once the library is there and the node has a width; drop older ones.
async function draw(node) {
  const state = node.sdeLab;
  await load(state.library);
  if (!state.pending || !node.isConnected || !node.clientWidth) return;
  const figure = state.pending;
  state.pending = null;
  prepare(node, figure);
  if (state.ready) {
    // Plotly.react would first compare every attribute with the last figure's: a third of its time.
    const { frames, ...still } = figure;
    Object.assign(node, still);
    // Frames of the same name are replaced; an animation is played by its frames' names.
    if (frames) await window.Plotly.addFrames(node, frames);
    await redraw(node);
    return;
  }
  await window.Plotly.newPlot(node, { ...figure, config: settings(node) });
  state.ready = true;
  node.on("plotly_click", ({ points: [point] }) => onClick(node, point));
  node.on("plotly_relayout", (event) => onRelayout(node, event));
  node.on("plotly_restyle", ([change, places]) => onRestyle(node, change, places));
  node.on("plotly_doubleclick", () => reset(node));
}

// Have Plotly draw the figure that it holds, over whatever frame was drawn there.
async function redraw(node) {
  for (const added of node.querySelectorAll(".lab-added")) added.remove();
  node.classList.remove("lab-approximate", "lab-bars-moved");
  await window.Plotly.redraw(node);
  tellDrawn(node);
}

// Whoever draws over the chart must do so again.
function tellDrawn(node) {
  node.dispatchEvent(new CustomEvent("lab-drawn", { bubbles: true }));
}

function onClick(node, point) {
  if (!node.layout.meta?.clicks || !Array.isArray(point.pointIndex)) return;
  const [y, x] = point.pointIndex;
  node.sdeLab.send("clicked", { x, y });
}

function resized(node) {
  const state = node.sdeLab;
  const { clientWidth: width, clientHeight: height } = node;
  if (!width) return;
  if (state.pending) update(node);
  else if (state.ready && (node.layout.width !== width || node.layout.height !== height)) {
    window.Plotly.relayout(node, { width, height }).then(() => tellDrawn(node));
  }
}

// One drawing at a time: Plotly cannot begin another while the first still builds its node.
function update(node) {
  const state = node.sdeLab;
  state.work = state.work
    .then(() => draw(node))
    .catch((error) => {
      console.error(error);
      if (state.ready) return;
      node.innerHTML = "<p>The chart could not be drawn. Reload the page.</p>";
    });
}

// Keys on a focused chart: + and − zoom in time, arrows move, 0 shows everything.
const STEPS = {
  "+": [0.2, -0.2],
  "=": [0.2, -0.2],
  "-": [-0.33, 0.33],
  ArrowLeft: [-0.2, -0.2],
  ArrowRight: [0.2, 0.2],
};

function onKey(node, event) {
  const state = node.sdeLab;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "0") reset(node);
  const [axis] = state.time;
  if (!axis || !(event.key in STEPS)) return;
  event.preventDefault();
  const [from, to] = wanted(state, axis);
  const [first, last] = state.home[axis];
  const [down, up] = STEPS[event.key].map((share) => share * (to - from));
  const moves = event.key.startsWith("Arrow");
  const slide = Math.min(last - to, Math.max(first - from, down));
  const range = moves ? [from + slide, to + slide] : [from + down, to + up];
  share(node, [Math.max(first, range[0]), Math.min(last, range[1])]);
  show(node);
}

// Streamlit does not run the script again when the reader, or the system, changes over to light or
// dark, and the server chose the colours. So the chart asks for it, once for each background.
function followTheme(node) {
  const state = node.sdeLab;
  const ground = node.layout?.meta?.ground?.toLowerCase();
  const style = getComputedStyle(node);
  const page = style.getPropertyValue("--st-background-color").trim().toLowerCase();
  if (!ground || !page || page === ground) state.asked = null;
  else if (page !== state.asked) {
    state.asked = page;
    state.send("theme", page);
  }
}

function create(parentElement) {
  const node = document.createElement("div");
  node.className = "lab-chart";
  node.tabIndex = 0;
  node.setAttribute("role", "figure");
  node.setAttribute("aria-keyshortcuts", "+ - ArrowLeft ArrowRight 0");
  const own = { nodes: new Set(), range: null };
  node.sdeLab = {
    zoom: {},
    visible: {},
    home: {},
    time: [],
    own,
    work: Promise.resolve(),
    next: null,
  };
  node.sdeLab.base = base;
  node.sdeLab.fit = (ranges) => fit(node, ranges);
  node.sdeLab.redraw = () => redraw(node);
  node.sdeLab.showFrame = (name) => showFrame(node, name);
  node.addEventListener("keydown", (event) => onKey(node, event));
  node.sdeLab.observer = new ResizeObserver(() => requestAnimationFrame(() => resized(node)));
  node.sdeLab.styles = new MutationObserver(() => followTheme(node));
  parentElement.append(node);
  node.sdeLab.observer.observe(node);
  node.sdeLab.styles.observe(document.head, { childList: true });
  return node;
}

function remove(node) {
  const state = node.sdeLab;
  state.observer.disconnect();
  state.styles.disconnect();
  state.pending = null;
  clearInterval(state.playing);
  state.controls?.bar.remove();
  linkOf(state).nodes.delete(node);
  node.remove();
  state.work.finally(() => window.Plotly?.purge(node));
}

export default function ({ data, parentElement, setTriggerValue }) {
  const node = parentElement.querySelector(".lab-chart") ?? create(parentElement);
  const state = node.sdeLab;
  state.send = setTriggerValue;
  const text = new TextDecoder().decode(data);
  if (state.shown !== text) {
    state.shown = text;
    const { figure, height, alt, filename, link, library } = JSON.parse(text);
    const animation = figure.layout.meta?.animation;
    node.style.height = animation ? `calc(${height} - var(--lab-animation-height))` : height;
    setAnimation(node, animation);
    node.setAttribute("aria-label", alt);
    Object.assign(state, { filename, link, library, pending: figure });
    linkOf(state).nodes.add(node);
    update(node);
  }
  return () => remove(node);
}
