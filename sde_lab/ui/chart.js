// Plotly.react in a node that stays. Charts of one link zoom their time axes together.

const shared = (window.sdeLab ??= { library: null, links: new Map() });

function load(address) {
  shared.library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error(`cannot load ${address}`));
    document.head.append(script);
  });
  return shared.library;
}

function linkOf(name) {
  if (!shared.links.has(name)) shared.links.set(name, { nodes: new Set(), range: null });
  return shared.links.get(name);
}

// The range that an event gave to a time axis: [from, to], null for "all of it", undefined for none.
function timeRange(node, event) {
  for (const axis of node.layout.meta?.time ?? []) {
    if (event[`${axis}.autorange`]) return null;
    if (event[`${axis}.range`]) return event[`${axis}.range`];
    if (`${axis}.range[0]` in event) return [event[`${axis}.range[0]`], event[`${axis}.range[1]`]];
  }
  return undefined;
}

function narrow(layout, range) {
  if (!range) return;
  for (const axis of layout.meta?.time ?? []) {
    layout[axis].range = [...range];
    layout[axis].autorange = false;
  }
}

function follow(node, range) {
  const axes = node.layout.meta?.time ?? [];
  if (!axes.length) return;
  const whole = node.sdeLab.whole;
  const to = range ?? whole;
  const change = {};
  for (const axis of axes) {
    if (to) change[`${axis}.range`] = [...to];
    else change[`${axis}.autorange`] = true;
  }
  node.sdeLab.following = true;
  window.Plotly.relayout(node, change).finally(() => (node.sdeLab.following = false));
}

function onRelayout(node, event) {
  if (node.sdeLab.following || !node.sdeLab.link) return;
  const range = timeRange(node, event);
  if (range === undefined) return;
  const link = linkOf(node.sdeLab.link);
  link.range = range;
  for (const other of link.nodes) if (other !== node) follow(other, range);
}

function figureOf(node, data) {
  const figure = JSON.parse(data.figure);
  const layout = figure.layout;
  const state = node.sdeLab;
  const first = layout.meta?.time?.[0];
  state.whole = first ? layout[first].range : undefined;
  const link = data.link ? linkOf(data.link) : null;
  if (link) {
    const same = state.revision === undefined || state.revision === layout.uirevision;
    if (!same) link.range = null;
    else narrow(layout, link.range);
  }
  state.revision = layout.uirevision;
  return figure;
}

async function draw(node, data) {
  const turn = (node.sdeLab.turn = (node.sdeLab.turn ?? 0) + 1);
  const Plotly = await load(data.library);
  if (turn !== node.sdeLab.turn) return;
  const figure = figureOf(node, data);
  const config = {
    displaylogo: false,
    responsive: false,
    modeBarButtons: [["toImage", "resetScale2d"]],
    toImageButtonOptions: { filename: data.filename, scale: 2 },
  };
  await Plotly.react(node, figure.data, figure.layout, config);
  if (node.sdeLab.ready) return;
  node.sdeLab.ready = true;
  node.on("plotly_relayout", (event) => onRelayout(node, event));
  node.sdeLab.observer = new ResizeObserver(() =>
    requestAnimationFrame(() => {
      if (node.isConnected && node.clientWidth > 0) Plotly.Plots.resize(node);
    }),
  );
  node.sdeLab.observer.observe(node);
}

export default function ({ data, parentElement }) {
  let node = parentElement.querySelector(".lab-chart");
  if (!node) {
    node = document.createElement("div");
    node.className = "lab-chart";
    node.tabIndex = 0;
    node.setAttribute("role", "figure");
    node.sdeLab = {};
    parentElement.append(node);
  }
  node.style.height = data.height;
  node.style.width = "100%";
  node.setAttribute("aria-label", data.alt);
  node.sdeLab.link = data.link;
  if (data.link) linkOf(data.link).nodes.add(node);
  draw(node, data);
  return () => {
    node.sdeLab.observer?.disconnect();
    if (data.link) linkOf(data.link).nodes.delete(node);
    window.Plotly?.purge(node);
    node.remove();
  };
}
