"use strict";
(() => {
  const { corpus, records } = JSON.parse(document.getElementById("records").textContent);
  const STORE = `tkre-review/${corpus}`;
  const find = (id) => document.getElementById(id);
  const articles = [...document.querySelectorAll("article")];
  const keys = articles.map((article) => article.dataset.key);
  const buttons = articles.map((article) => [...article.querySelectorAll("[data-relation]")]);
  const query = find("query");
  // Answers by key of the row: a relation, or "" for a skipped row. Steps to undo: key, answer before.
  let { answers, steps } = load();
  let current = 0;

  function load() {
    const kept = { answers: {}, steps: [] };
    try {
      const stored = JSON.parse(localStorage.getItem(STORE)) ?? {};
      for (const [key, answer] of Object.entries(stored.answers ?? {})) {
        if (typeof answer === "string" && possible(key, answer)) kept.answers[key] = answer;
      }
      kept.steps = (stored.steps ?? []).filter((step) => Array.isArray(step) && keys.includes(step[0]));
    } catch {
      say("This browser keeps nothing: export the answers before you close the page.");
    }
    return kept;
  }

  /** Answers of other pages are kept; an answer that a row of this page does not allow is none. */
  function possible(key, answer) {
    const n = keys.indexOf(key);
    return n < 0 || answer === "" || buttons[n].some((button) => button.dataset.relation === answer);
  }

  function save() {
    try {
      localStorage.setItem(STORE, JSON.stringify({ answers, steps }));
    } catch {
      // load has said so
    }
  }

  function say(text) {
    find("status").textContent = text;
  }

  const seen = (key) => Object.hasOwn(answers, key);
  const answered = () => keys.filter((key) => answers[key]).length;

  function answer(relation) {
    const key = keys[current];
    if (key === undefined) return;
    steps.push([key, seen(key) ? answers[key] : null]);
    answers[key] = relation;
    save();
    const next = [...keys.keys()].find((n) => n > current && !seen(keys[n]));
    const open = next ?? keys.findIndex((each) => !seen(each));
    show(open < 0 ? keys.length : open);
    say(relation ? `Answer: ${relation}.` : "Skipped.");
  }

  function undo() {
    const step = steps.pop();
    if (!step) return say("There is nothing to undo.");
    const [key, before] = step;
    if (before === null) delete answers[key];
    else answers[key] = before;
    save();
    show(keys.indexOf(key));
    say("Undone.");
  }

  function skip() {
    if (current >= keys.length) return;
    if (seen(keys[current])) show(current + 1);
    else answer("");
  }

  /** Shows a row, or the summary after the last one. */
  function show(n) {
    current = Math.max(0, Math.min(n, keys.length));
    articles.forEach((article, each) => { article.hidden = each !== current; });
    find("done").hidden = current < keys.length;
    query.value = "";
    filter();
    const given = answered();
    const skipped = keys.filter((key) => answers[key] === "").length;
    const counts = `${given} of ${keys.length}` + (skipped ? `, ${skipped} skipped` : "");
    find("count").textContent = counts;
    find("progress").value = given + skipped;
    find("summary").textContent = `Answers: ${counts}.`;
    find("accept").disabled = find("skip").disabled = query.disabled = current >= keys.length;
    if (current >= keys.length) return find("done").focus();
    const mine = answers[keys[current]];
    const shown = articles[current].querySelector(".answer");
    shown.hidden = mine === undefined;
    shown.querySelector("strong").textContent = mine === "" ? "skipped" : mine ?? "";
    for (const button of buttons[current]) {
      button.setAttribute("aria-pressed", String(button.dataset.relation === mine));
    }
    find("accept").querySelector("strong").textContent = articles[current].dataset.llm;
    scrollTo(0, 0);
    // On a phone, the field would open the keyboard over the buttons.
    if (matchMedia("(pointer: fine)").matches) query.focus({ preventScroll: true });
  }

  /** Shows the relations that the field names; returns the one that Enter would give. */
  function filter() {
    const typed = query.value.trim().toLowerCase();
    const number = /^\d+$/.test(typed);
    const matching = (buttons[current] ?? []).filter((button) => {
      const { relation, number: own } = button.dataset;
      const matches = number ? own.startsWith(typed) : relation.toLowerCase().includes(typed);
      button.parentElement.hidden = !matches;
      button.classList.remove("first");
      return matches;
    });
    const exact = number && matching.find((button) => button.dataset.number === typed);
    const first = exact || matching[0];
    if (typed && first) first.classList.add("first");
    return { typed, first, only: exact && matching.length === 1 };
  }

  function enter() {
    const { typed, first } = filter();
    if (current >= keys.length) return;
    if (!typed) answer(articles[current].dataset.llm);
    else if (first) answer(first.dataset.relation);
    else say(`No relation of this row is called “${typed}”.`);
  }

  function save_file() {
    const lines = records
      .map((record, n) => ({ relation: answers[keys[n]], ...record }))
      .filter((record) => record.relation)
      .map((record) => `${JSON.stringify(record)}\n`);
    if (!lines.length) return say("There is no answer to export yet.");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
    link.download = `${corpus}-reviewed.jsonl`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    say(`Exported ${lines.length} answers: ${link.download}.`);
  }

  query.addEventListener("input", () => {
    const { typed, first, only } = filter();
    if (only) answer(first.dataset.relation);
    else if (typed && !first) say(`No relation of this row is called “${typed}”.`);
  });
  buttons.flat().forEach((button) => {
    button.addEventListener("click", () => answer(button.dataset.relation));
  });
  find("accept").addEventListener("click", () => answer(articles[current].dataset.llm));
  find("skip").addEventListener("click", skip);
  find("back").addEventListener("click", () => show(current - 1));
  find("undo").addEventListener("click", undo);
  find("export").addEventListener("click", save_file);

  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const { key } = event;
    const onButton = event.target.closest?.("button");
    const command = commands(key, event.ctrlKey || event.metaKey, onButton);
    if (command && !event.altKey) {
      event.preventDefault();
      // A key that is held down empties the field, or answers once.
      if (!event.repeat) command();
    } else if (key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (!(onButton && key === " ")) query.focus(); // the character goes into the field
    }
  });

  function commands(key, control, onButton) {
    const empty = query.value === "";
    if (control) return { s: save_file, z: empty ? undo : null }[key];
    if (key === "Enter") return onButton ? null : enter;
    if (key === "Escape") return () => { query.value = ""; filter(); };
    if (!empty) return null;
    return { ArrowRight: skip, ArrowLeft: () => show(current - 1), Backspace: undo }[key];
  }

  const first = keys.findIndex((key) => !seen(key));
  show(first < 0 ? keys.length : first);
})();
