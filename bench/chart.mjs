// Draws how cost grows as one SVG: CPU per delivery and p99 latency over the rate and over the number of subscribers.
import { mediansOf } from "./figures.mjs";
import { SWEEP } from "./loads.mjs";
import { SERVERS, serverOf } from "./servers.mjs";

const WIDTH = 1000;
const HEIGHT = 860;
const TEXT = "#333";

// Colours that most colour-blind people can tell apart (the palette of Okabe and Ito), each with its own symbol.
const STYLES = {
  ours: { color: "#d55e00", symbol: "circle", width: 3 },
  history: { color: "#56b4e9", symbol: "arrow", width: 1.5 },
  "js-object": { color: "#0072b2", symbol: "rect", width: 1.5 },
  nchan: { color: "#009e73", symbol: "triangle", width: 1.5 },
  "nchan-workers": { color: "#555555", symbol: "pin", width: 1.5 },
  "from-stream": { color: "#cc79a7", symbol: "diamond", width: 1.5 },
  "no-pacing": { color: "#8a6d00", symbol: "roundRect", width: 1.5 },
};

const RATE_AXIS = "events published per second";
const SIZE_AXIS = "subscribers";
const PANELS = [
  { figure: "cpu", over: "rate", x: RATE_AXIS, y: "CPU µs per delivery", left: 70, top: 90 },
  { figure: "p99", over: "rate", x: RATE_AXIS, y: "p99 latency, ms", left: 570, top: 90 },
  { figure: "cpu", over: "subscribers", x: SIZE_AXIS, y: "CPU µs per delivery", left: 70, top: 480 },
  { figure: "p99", over: "subscribers", x: SIZE_AXIS, y: "p99 latency, ms", left: 570, top: 480 },
];
const PANEL = { width: 400, height: 300 };

// The system counts CPU time in steps of 10 ms, so a figure from less CPU time than this would be inaccurate.
const MIN_CPU_SECONDS = 0.1;

/** Returns the points of a server's line in a panel, from left to right: [{ x, y, hollow }]. */
export function lineOf(points, server, { figure, over }) {
  const fixed = over === "rate" ? "subscribers" : "rate";
  const fit = points.filter((point) => point.server === server && point[fixed] === SWEEP[fixed]);
  const seen = fit.map((point) => {
    const medians = mediansOf(point.runs);
    const known = medians && (figure !== "cpu" || medians.cpuSeconds >= MIN_CPU_SECONDS);
    return { x: point[over], y: known ? medians[figure] : 0, hollow: !point.keptUp || medians?.lost > 0 };
  });
  // A logarithmic axis cannot show 0, which stands for values too small to be measured.
  return seen.filter(({ y }) => y > 0).sort((one, other) => one.x - other.x);
}

function titleOf({ figure, over }) {
  const cost = figure === "cpu" ? "CPU per delivery" : "p99 latency";
  return over === "rate" ? `${cost}, ${SWEEP.subscribers} subscribers` : `${cost}, ${SWEEP.rate} events/s`;
}

function axis(gridIndex, name, nameGap, minorTick) {
  return {
    type: "log",
    gridIndex,
    name,
    nameLocation: "middle",
    nameGap,
    nameTextStyle: { color: TEXT },
    axisLabel: { color: TEXT, formatter: (value) => value.toLocaleString("en-US") },
    axisLine: { show: true, lineStyle: { color: TEXT } },
    splitLine: { show: true, lineStyle: { color: "#ddd" } },
    minorTick: { show: minorTick, splitNumber: 9 },
  };
}

function seriesOf(points, server, panel, index) {
  const { color, symbol, width } = STYLES[server];
  const hollow = `empty${symbol[0].toUpperCase()}${symbol.slice(1)}`;
  return {
    type: "line",
    name: serverOf(server).name,
    xAxisIndex: index,
    yAxisIndex: index,
    symbol,
    symbolSize: 9,
    lineStyle: { color, width },
    itemStyle: { color },
    data: lineOf(points, server, panel).map((one) => ({
      value: [one.x, one.y],
      symbol: one.hollow ? hollow : symbol,
      symbolSize: one.hollow ? 11 : 9,
    })),
  };
}

/** Returns the chart as SVG text. `points` are the points that measure.mjs creates. */
export async function draw(points, subtitle) {
  // The import is here because npm may install the package after this file was loaded.
  const { init } = await import("echarts");
  const servers = SERVERS.map(({ id }) => id).filter((id) => points.some(({ server }) => server === id));
  const chart = init(null, null, { renderer: "svg", ssr: true, width: WIDTH, height: HEIGHT });
  chart.setOption({
    animation: false,
    backgroundColor: "#fff",
    textStyle: { fontFamily: "sans-serif", fontSize: 12, color: TEXT },
    title: [
      { text: subtitle, left: 20, top: 8, textStyle: { fontSize: 15, color: TEXT } },
      {
        text: "A hollow marker: events were lost, or the server did not keep up with the rate. No marker: the run failed, or took too little CPU time to be measured.",
        left: 20,
        top: HEIGHT - 26,
        textStyle: { fontSize: 12, fontWeight: "normal", color: TEXT },
      },
      ...PANELS.map((panel) => ({
        text: titleOf(panel),
        left: panel.left,
        top: panel.top - 26,
        textStyle: { fontSize: 13, color: TEXT },
      })),
    ],
    legend: { top: 34, left: 20, textStyle: { color: TEXT }, itemGap: 24 },
    grid: PANELS.map(({ left, top }) => ({ left, top, ...PANEL })),
    xAxis: PANELS.map(({ x }, index) => axis(index, x, 28, false)),
    yAxis: PANELS.map(({ y }, index) => axis(index, y, 46, true)),
    series: PANELS.flatMap((panel, index) => servers.map((server) => seriesOf(points, server, panel, index))),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  // The styles for hovering are removed: an image in a README cannot be hovered over, and is half the size without
  // them.
  return svg.replace(/ (pointer-events="\w+"|class="zr\d+-cls-\d+")/g, "").replace(/<style.*<\/style>\n?/s, "");
}
