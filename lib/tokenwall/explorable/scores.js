// The reader's guesses of all chapters, beside the computed answers. They never leave the browser.
(() => {
"use strict";

const { engineering, guesses } = globalThis.TokenWall;

function row(cells, kind = "td") {
  const line = document.createElement("tr");
  for (const text of cells) line.append(Object.assign(document.createElement(kind), { textContent: text }));
  return line;
}

function verdict({ guess, answer, factor }) {
  if (factor < 1.005) return "right";
  return `too ${guess > answer ? "high" : "low"} by ${engineering(factor, "1", 2)}`;
}

// The typical miss is the geometric mean: too high by two and too low by two are the same miss.
function summary(entries) {
  const logs = entries.map((entry) => Math.log(entry.factor));
  const typical = Math.exp(logs.reduce((sum, x) => sum + x, 0) / logs.length);
  const near = entries.filter((entry) => entry.factor <= 2).length;
  const high = entries.filter((entry) => entry.guess > entry.answer).length;
  const count = `${entries.length} guess${entries.length === 1 ? "" : "es"}`;
  return `${count}: ${near} within a factor of two, ${high} too high. ` +
    `Typically you were off by a factor of ${engineering(typical, "1", 2)}.`;
}

function fill(board) {
  const numbers = (e) => [e.guess, e.answer, e.factor].every(Number.isFinite) && e.factor >= 1;
  const entries = Object.values(guesses()).filter((e) => e && typeof e.unit === "string" && numbers(e));
  board.querySelector(".sc-none").hidden = entries.length > 0;
  board.querySelector(".sc-some").hidden = entries.length === 0;
  if (!entries.length) return;
  board.querySelector(".sc-said").textContent = summary(entries);
  board.querySelector("tbody").replaceChildren(...entries.map((entry) => row([
    entry.question, engineering(entry.guess, entry.unit), engineering(entry.answer, entry.unit), verdict(entry),
  ])));
}

function start() {
  for (const board of document.querySelectorAll(".tw-scores")) {
    board.querySelector("button").addEventListener("click", () => {
      try { localStorage.removeItem("tokenwall.guesses"); } catch { /* nothing was kept */ }
      fill(board);
      board.querySelector(".sc-none").focus();
    });
    fill(board);
    addEventListener("storage", () => fill(board));
    // A guess made on this page counts at once.
    document.addEventListener("click", () => setTimeout(() => fill(board)));
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
})();
