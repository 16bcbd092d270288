// Checks of a page that run in it: axe, and what axe does not check.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** The source of axe, which defines `axe` in a page. */
export const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The rules of WCAG 2.2 with the levels A and AA, and the best practices. */
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"];

/** An expression of what axe finds: the rule and the elements of each violation. */
export const FINDINGS = `axe.run(document, { runOnly: ${JSON.stringify(TAGS)} }).then(({ violations }) =>
  violations.map(({ id, nodes }) => id + ": " + nodes.map(({ target, failureSummary }) => target + " " + failureSummary).join("; ")))`;

/** Defines `looks`, which lists what a user with a weak sight or a small screen could not use. */
export const LOOKS = `window.looks = () => {
  const channels = (color) => (color.match(/[\\d.]+/g) ?? []).slice(0, 3).map(Number);
  const luminance = (color) => {
    const scale = color.startsWith("color(") ? 1 : 255;
    const [r, g, b] = channels(color).map((n) => n / scale).map((n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const problems = [];
  const fields = [...document.querySelectorAll("input, textarea, select")].filter((field) => field.checkVisibility());
  for (const field of fields) {
    const name = field.name || field.id;
    const style = getComputedStyle(field);
    if (field.type === "checkbox") continue;
    if (parseFloat(style.fontSize) < 16) problems.push(name + ": font of " + style.fontSize);
    if (!field.labels?.length) problems.push(name + ": no label");
    if (contrast(style.borderColor.split(") ")[0], style.backgroundColor) < 3) problems.push(name + ": border");
    if (!field.placeholder) continue;
    const { color } = getComputedStyle(field, "::placeholder");
    if (contrast(color, style.backgroundColor) < 4.5) problems.push(name + ": placeholder");
  }
  if (document.documentElement.scrollWidth > innerWidth) problems.push("the page is wider than the screen");
  const bar = document.getElementById("bar").getBoundingClientRect();
  if (bar.top < 0 || bar.bottom > innerHeight) problems.push("the bar is out of sight");
  return [fields.length > 0 ? "" : "no fields", ...problems].filter(Boolean);
};`;
