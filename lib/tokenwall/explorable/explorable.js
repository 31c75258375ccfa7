/* Brings each <figure class="explorable"> to life: sliders re-evaluate equations and move what
   Matplotlib drew. Equations are data: nothing here turns text into code, or fetches. */
(function () {
"use strict";

const finite = Number.isFinite;
const within = (low, high, value) => Math.min(high, Math.max(low, value));
const at = (value, i) => (typeof value === "number" ? value : value[i]);

// - Programs: a register per line, a number or a Float64Array

const FOLDED = {
  add: (a, b) => a + b,
  mul: (a, b) => a * b,
  pow: (a, b) => (a === 1 ? 1 : Math.pow(a, b)),
  min: Math.min,
  max: Math.max,
};
// The others are Math's own.
const SINGLE = { recip: (a) => 1 / a };

function pairwise(f, a, b) {
  const longer = typeof a === "number" ? b : a;
  return typeof longer === "number" ? f(a, b) : longer.map((_, i) => f(at(a, i), at(b, i)));
}

function evaluate(program, inputs) {
  const registers = inputs.slice(), read = (register) => registers[register];
  for (const [op, ...operands] of program.code) {
    const given = operands.map(read), folded = FOLDED[op];
    registers.push(op === "num" ? operands[0]
      : folded ? given.reduce((a, b) => pairwise(folded, a, b))
        : pairwise(SINGLE[op] || Math[op], given[0], 0));
  }
  return program.out.map(read);
}

// Tables: linear between grid points, held at the ends.

function lookUp(table, coordinates) {
  let corners = [[0, 1]];
  table.axes.forEach(({ grid, log }, k) => {
    const scale = log ? Math.log : (x) => x, x = coordinates[k];
    let cell = 0;
    while (cell < grid.length - 2 && grid[cell + 1] <= x) cell++;
    const start = scale(grid[cell]), span = scale(grid[cell + 1]) - start;
    const part = within(0, 1, (scale(x) - start) / span);
    corners = corners.flatMap(([index, weight]) => [
      [index * grid.length + cell, weight * (1 - part)],
      [index * grid.length + cell + 1, weight * part],
    ]);
  });
  return corners.reduce((sum, [index, weight]) => sum + weight * table.values[index], 0);
}

function tableValue(table, inputs) {
  const given = table.axes.map((axis) => inputs[axis.name]);
  const array = given.find((value) => typeof value !== "number");
  return array ? array.map((_, i) => lookUp(table, given.map((v) => at(v, i)))) : lookUp(table, given);
}

// - Numbers: the rule of tokenwall.units.engineering

const PREFIXES = [..."yzafpnµm", "", ..."kMGTPEZ"], UP = [0, 7], DOWN = [-8, 0], BOTH = [-8, 7];
const PREFIXABLE = { B: UP, FLOP: UP, s: DOWN, m: DOWN, J: BOTH, W: BOTH, Hz: BOTH, V: BOTH };

// Mantissa and exponent; a tie goes to the even digit, as in Python.
function rounded(value, places) {
  const exact = value.toExponential(30), kept = exact.slice(0, places ? places + 2 : 1);
  const tie = /^50*e/.test(exact.slice(places + 2)) && kept.slice(-1) % 2 === 0;
  const [mantissa, power] = (tie ? kept + exact.slice(32) : value.toExponential(places)).split("e");
  return [mantissa, Number(power)];
}

function plain(mantissa, power) {
  const places = Math.max(mantissa.replace(".", "").length - 1 - power, 0);
  let [whole, part] = Number(mantissa + "e" + power).toFixed(places).split(".");
  whole = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  part = (part || "").replace(/0+$/, "");
  return part ? whole + "." + part : whole;
}

function engineering(value, unit, digits = 3) {
  const suffix = unit === "1" ? "" : " " + unit;
  if (Number.isNaN(value)) return "no value";
  const sign = value < 0 ? "−" : "";
  if (!finite(value)) return sign + "∞" + suffix;
  if (value === 0) return "0" + suffix;
  const [mantissa, power] = rounded(Math.abs(value), digits - 1);
  const [lowest, highest] = PREFIXABLE[unit.split("/")[0]] || [];
  const step = within(lowest, highest, Math.floor(power / 3)), rest = power - 3 * step;
  if (rest >= -3 && rest < 6) return sign + plain(mantissa, rest) + " " + PREFIXES[step + 8] + unit;
  if (power >= -3 && power < 6) return sign + plain(mantissa, power) + suffix;
  const group = ["m", "b", "tr"][Math.floor(power / 3) - 2];
  if (group) return sign + plain(mantissa, power % 3) + ` ${group}illion` + suffix;
  const raised = String(power).replace(/./g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
  return sign + plain(mantissa, 0) + "×10" + raised + suffix;
}

// - What is kept, in the browser's own store

function remember(key, value) {
  try {
    key = "tokenwall." + key;
    if (value) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch { return null; } // private windows have none
}

function guesses() {
  try { return JSON.parse(remember("guesses")) || {}; } catch { return {}; }
}

// - Sliders: whole steps; both ends and the default are exact

const partOf = (low, high, log, value) =>
  log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
const partway = (low, high, log, part) =>
  log ? low * Math.pow(high / low, part) : low + (high - low) * part;

function valueAt(slider, position) {
  const { values, steps, low, high, log } = slider, part = position / steps;
  if (values) return values[position];
  const exact = [low, high, slider.default].find((v) => positionOf(slider, v) === position);
  if (exact !== undefined) return exact;
  const coarse = log && Math.pow(high / low, 1 / steps) > 1.012;
  return within(low, high, Number(partway(low, high, log, part).toPrecision(coarse ? 3 : 4)));
}

function positionOf({ values, steps, low, high, log }, value) {
  if (!values) return Math.round(steps * partOf(low, high, log, value));
  const misses = values.map((v) => Math.abs(v - value));
  return misses.indexOf(Math.min(...misses));
}

function admissible(slider, value) {
  const { values, whole } = slider, held = within(slider.low, slider.high, value);
  return whole ? Math.round(held) : values ? values[positionOf(slider, held)] : held;
}

function showSlider(input, output, slider, value) {
  const text = engineering(value, slider.unit, slider.digits);
  input.value = positionOf(slider, value);
  input.setAttribute("aria-valuetext", text);
  output.textContent = text;
}

// - Drawing: data to SVG, and the artists that move

// NaN for what has no place; far outside is held near.
function along([low, high, log], start, length, value) {
  const part = partOf(low, high, log, value);
  return finite(part) ? Math.round(100 * within(-1e4, 1e4, start + length * part)) / 100 : NaN;
}
const acrossX = ({ x, box }, value) => along(x, box[0], box[2], value);
const acrossY = ({ y, box }, value) => along(y, box[1] + box[3], -box[3], value);

function points(axes, xs, ys, n) {
  return Array.from({ length: n }, (_, i) => {
    const x = acrossX(axes, at(xs, i)), y = acrossY(axes, at(ys, i));
    return finite(x + y) ? x + " " + y : null;
  });
}

// Path data of each kind of artist, nothing where it has no place.
const PATHS = {
  curve(axes, v, n) {
    return points(axes, v.x, v.y, n).map((p, i, all) => p && (all[i - 1] ? "L" : "M") + p).join("");
  },
  area(axes, v, n) {
    const low = points(axes, v.x, v.low, n), high = points(axes, v.x, v.high, n);
    const both = (p, i) => low[i] && high[i];
    const edge = [...low.filter(both), ...high.filter(both).reverse()];
    return edge.length && "M" + edge.join("L") + "z";
  },
  vline(axes, v) {
    const x = acrossX(axes, v.x);
    return finite(x) && `M${x} ${axes.box[1]}v${axes.box[3]}`;
  },
  hline(axes, v) {
    const y = acrossY(axes, v.y);
    return finite(y) && `M${axes.box[0]} ${y}h${axes.box[2]}`;
  },
  bar(axes, v, n, [foot, from, to]) {
    const standing = v.height !== undefined, across = standing ? acrossY : acrossX;
    const [low, , log] = standing ? axes.y : axes.x;
    const base = v.base === undefined ? foot : v.base;
    const start = across(axes, log && base <= 0 ? low : base);
    const end = across(axes, base + (standing ? v.height : v.width));
    if (!finite(start + end)) return "";
    return standing ? `M${from} ${start}H${to}V${end}H${from}z` : `M${start} ${from}V${to}H${end}V${from}z`;
  },
};

// Falsy where it has none.
function place(node, axes, move, v, n, home) {
  const path = PATHS[move.kind];
  if (path) {
    const d = path(axes, v, n, home);
    if (d) node.querySelector("path").setAttribute("d", d);
    return d;
  }
  const text = move.kind === "text", [x0, y0, dx, dy, angle, turns] = text ? home : [0, 0, 0, 0];
  // A label right of its point turns left near the right edge.
  const turned = turns && acrossX(axes, v.x) > axes.box[0] + 0.7 * axes.box[2];
  const x = v.x === undefined ? x0 : acrossX(axes, v.x) + (turned ? -dx : dx);
  const y = v.y === undefined ? y0 : acrossY(axes, v.y) + dy;
  if (!finite(x + y) || !finite(v.value || 0)) return false;
  for (const part of node.querySelectorAll(text ? "text" : "use")) {
    part.setAttribute("x", x);
    part.setAttribute("y", y);
    if (angle) part.setAttribute("transform", `rotate(${angle} ${x} ${y})`);
    if (turns) part.setAttribute("text-anchor", turned ? "end" : "start");
    if (v.value === undefined) continue;
    part.textContent = move.template.replace("{}", engineering(v.value, move.unit, move.digits));
  }
  return true;
}

function gridOf({ grid }) {
  if (!grid || grid.values) return grid && Float64Array.from(grid.values);
  const { low, high, n, log } = grid;
  return Float64Array.from({ length: n }, (_, i) => partway(low, high, log, i / (n - 1)));
}

// - One explorable

function hydrate(figure, live) {
  if (figure.explorable) return figure.explorable;
  const spec = JSON.parse(figure.querySelector("script").textContent);
  const find = (css) => figure.querySelector(css), all = (css) => [...figure.querySelectorAll(css)];
  figure.explorable = (spec.kind === "prediction" ? prediction : explorable)(spec, find, all, live);
  for (const part of all(".ex-live-only")) part.hidden = false;
  figure.classList.add("ex-ready");
  return figure.explorable;
}

function explorable(spec, find, all, live) {
  const inputs = all("input"), outputs = all(".ex-value"), selects = all("select");
  const readouts = all(".ex-readouts output"), pinned = all(".ex-pinned"), items = all("li");
  const said = find(".ex-said"), button = (name) => find(`[data-do=${name}]`);
  const defaults = { ...spec.fixed };
  for (const slider of spec.sliders) defaults[slider.name] = slider.default;
  const values = { ...defaults };
  const grids = spec.programs.map(gridOf);
  const drawings = all("svg").map((svg, k) => ({
    ...spec.drawings[k],
    nodes: spec.moves.map((move) => svg.querySelector(`[data-gid="${move.gid}"]`)),
  }));
  let results, kept, speaking, writing, step = 0, chosen = {};

  function repaint() {
    results = spec.programs.map(({ program, grid }, k) => {
      const known = { ...values };
      if (grid) known[grid.name] = grids[k];
      for (const table of spec.tables) known[table.name] = tableValue(table, known);
      return evaluate(program, program.args.map((name) => known[name]));
    });
    spec.moves.forEach((move, m) => {
      const where = {};
      for (const [role, [p, i]] of Object.entries(move.at)) where[role] = results[p][i];
      const n = grids[move.grid]?.length || 1;
      for (const { axes, homes, nodes } of drawings) {
        const [axis, ...home] = homes[m];
        const shown = place(nodes[m], axes[axis], move, where, n, home);
        nodes[m].setAttribute("visibility", shown ? "visible" : "hidden");
      }
    });
    tell();
  }

  const readoutText = ({ unit, digits, missing }, value) =>
    finite(value) ? engineering(value, unit, digits) : "no value here: " + missing;

  function tell() {
    spec.readouts.forEach((readout, k) => {
      const value = results[readout.at[0]][readout.at[1]];
      readouts[k].textContent = readoutText(readout, value);
      readouts[k].classList.toggle("ex-missing", !finite(value));
      pinned[k].textContent = kept ? comparison(readout, kept[k], value) : "";
    });
    spec.sliders.forEach((slider, k) => showSlider(inputs[k], outputs[k], slider, values[slider.name]));
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      said.textContent = spec.readouts.map((r, k) => r.label + ": " + readouts[k].textContent).join(". ");
    }, 500);
  }

  function comparison(readout, before, now) {
    const ratio = now / before, times = ratio > 0 && finite(ratio);
    return "pinned: " + readoutText(readout, before) + (times ? ", now ×" + engineering(ratio, "1") : "");
  }

  const keyed = (group, wanted) => group.presets.find(({ key }) => key === wanted);
  const holds = (preset) => preset && Object.entries(preset.values).every(([name, v]) => values[name] === v);

  function matchPresets() {
    spec.groups.forEach((group, k) => {
      const match = [keyed(group, chosen[group.name]), ...group.presets].find(holds);
      selects[k].value = match?.key || "";
    });
  }

  // The address: what differs from the defaults, beside the parts of others.
  const parts = () => location.hash.slice(1).split("&").filter(Boolean);
  const isMine = (part) => part.startsWith(spec.id + "=");

  function address(others) {
    const moved = Object.entries({ ...values, step }).filter(([name, v]) => v !== (defaults[name] || 0));
    const brief = ([name, v]) => name + ":" + (v < 1e5 ? v : v.toExponential().replace("+", ""));
    const mine = moved.map(brief).join(",");
    if (mine) others.push(spec.id + "=" + mine);
    return others.length ? "#" + others.join("&") : "";
  }

  function arrive() {
    const part = parts().find(isMine);
    if (!part) return false;
    // Unlike decodeURIComponent, unescape does not throw where a link is cut short.
    const given = {}, presets = spec.groups.flatMap((g) => g.presets);
    for (const [, name, v] of unescape(part).matchAll(/(\w+):([^,:]+)/g)) if (finite(+v)) given[name] = +v;
    // What no slider holds a link may set only as a preset does.
    for (const name in spec.fixed) {
      if (!presets.some((p) => p.values[name] === given[name])) delete given[name];
    }
    goTo(given.step || 0);
    assign(given);
    return true;
  }

  function changed() {
    set({});
    if (live) return live.changed({ ...values });
    clearTimeout(writing);
    writing = setTimeout(() => {
      // Browsers refuse more than some hundred a minute.
      try {
        const others = parts().filter((p) => !isMine(p));
        history.replaceState(null, "", address(others) || location.pathname + location.search);
      } catch { /* the setting holds all the same */ }
    }, 300);
  }

  function assign(given) {
    for (const name in values) {
      const slider = spec.sliders.find((s) => s.name === name);
      if (name in given) values[name] = slider ? admissible(slider, given[name]) : given[name];
    }
  }

  function goTo(next) {
    assign(defaults);
    if (!items.length) return;
    const last = items.length - 1;
    step = within(0, last, Math.round(next));
    items.forEach((item, k) => { item.hidden = k !== step; });
    find(".ex-count").textContent = `${step + 1} of ${last + 1}`;
    button("back").disabled = !step;
    button("next").disabled = step === last;
    for (const these of spec.steps.slice(0, step + 1)) assign(these.values);
  }

  function reset() {
    chosen = {};
    goTo(0);
    changed();
  }

  function pin() {
    for (const ghost of all(".ex-ghost")) ghost.remove();
    kept = kept ? null : spec.readouts.map(({ at: [p, i] }) => results[p][i]);
    if (kept) for (const { nodes } of drawings) {
      nodes.forEach((node, m) => {
        if (!/curve|line|marker/.test(spec.moves[m].kind)) return;
        const ghost = node.cloneNode(true);
        ghost.removeAttribute("data-gid");
        ghost.classList.add("ex-ghost");
        for (const defs of ghost.querySelectorAll("defs")) defs.remove();
        node.before(ghost);
      });
    }
    button("pin").textContent = kept ? "Unpin" : "Pin this setting";
    tell();
  }

  async function copy() {
    const link = location.href.split("#")[0] + (address([]) || "#" + spec.id);
    let done = "Copied";
    try { await navigator.clipboard.writeText(link); } catch { done = "See the address bar"; }
    button("copy").textContent = said.textContent = done;
    setTimeout(() => { button("copy").textContent = "Copy link"; }, 2000);
  }

  spec.sliders.forEach((slider, k) => inputs[k].addEventListener("input", () => {
    values[slider.name] = valueAt(slider, Number(inputs[k].value));
    changed();
  }));
  spec.groups.forEach((group, k) => selects[k].addEventListener("change", () => {
    const preset = keyed(group, selects[k].value);
    if (!preset) return matchPresets();
    chosen[group.name] = preset.key;
    if (group.shared && !live) remember(group.name, preset.key);
    assign(preset.values);
    changed();
  }));
  const walk = (by) => () => { goTo(step + by); changed(); };
  const actions = { reset, pin, copy, next: walk(1), back: walk(-1) };
  for (const b of all("[data-do]")) b.addEventListener("click", actions[b.dataset.do]);

  function set(given) {
    assign(given);
    matchPresets();
    repaint();
  }

  goTo(0);
  if (live) {
    assign(live.values);
  } else {
    const arrived = arrive();
    if (!arrived) for (const group of spec.groups.filter((g) => g.shared)) {
      const preset = keyed(group, remember(group.name));
      if (preset) assign(preset.values), (chosen[group.name] = preset.key);
    }
    if (arrived && isMine(parts()[0])) find("*").scrollIntoView();
    addEventListener("hashchange", () => { if (arrive()) set({}); });
  }
  set({});
  clearTimeout(speaking);
  return { spec, values, set };
}

// - One prediction: guess, commit, compare

function prediction(spec, find, all, live) {
  const input = find("input"), output = find(".ex-value"), details = find("details");
  const button = find("button"), slider = spec.sliders[0], values = { guess: slider.default };

  function set({ guess }) {
    values.guess = admissible(slider, guess);
    showSlider(input, output, slider, values.guess);
  }

  function judge(committed) {
    const { guess } = values, { answer, question } = spec;
    const factor = Math.max(guess / answer, answer / guess);
    const miss = factor < 1.1 ? "Right to within ten per cent." : `Too ${guess > answer ? "high" : "low"
      } by a factor of ${engineering(factor, "1", factor < 10 ? 2 : 3)}.`;
    find(".ex-said").textContent = committed
      ? `You said ${engineering(guess, slider.unit)}; the answer is ${spec.answer_text}. ${miss}` : "";
    details.open = input.disabled = committed;
    details.hidden = !committed;
    button.textContent = committed ? "Guess again" : "Commit my guess";
    return { guess, answer, factor, question, unit: slider.unit };
  }

  input.addEventListener("input", () => {
    set({ guess: valueAt(slider, Number(input.value)) });
    if (live) live.changed({ ...values });
  });
  button.addEventListener("click", () => {
    const entry = judge(!input.disabled);
    if (input.disabled) remember("guesses", JSON.stringify({ ...guesses(), [spec.id]: entry }));
  });
  const before = live ? live.values : guesses()[spec.id], sound = before && finite(before.guess);
  set(sound ? before : values);
  judge(Boolean(sound && !live));
  return { spec, values, set };
}

// - The page, and the widget of a live notebook

function hydrateAll() {
  for (const figure of document.querySelectorAll("figure.explorable")) {
    try { hydrate(figure); } catch (error) { console.error(error); } // others live on
  }
}

function render({ model, el }) {
  el.innerHTML = model.get("html");
  const figure = el.querySelector("figure.explorable");
  const api = hydrate(figure, {
    values: model.get("values"),
    changed(values) { model.set("values", values); model.save_changes(); },
  });
  model.on("change:values", () => api.set(model.get("values")));
}

globalThis.TokenWall = {
  evaluate, engineering, tableValue, guesses, hydrateAll, widget: { render },
};
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", hydrateAll);
else hydrateAll();
})();
