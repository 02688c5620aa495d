// The search of the page. The frequent entries are in the page (#find-data), the others of a language in
// entries/<lang>.js, which is loaded when the reader asks for it. Texts are set as text, never as HTML. Searching and
// drawing are cut into slices, so that no key waits for the answer to the one before.
"use strict";
(() => {
  const SHOWN = 50, EXAMPLES = 3;
  const SLICE_MS = 8, STEP_MATCHES = 4096, STEP_ROWS = 10;
  const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  const byId = (id) => document.getElementById(id);
  const lang = byId("find-lang"), text = byId("find-text"), how = byId("find-how");
  const status = byId("find-status"), more = byId("find-more"), rows = byId("find-rows");
  const hasSources = rows.parentNode.querySelector("thead .mini") !== null;
  let languages = null, turn = 0;

  // Do the steps of a generator in slices of time; a new key ends them. A slice ends, too, where a step yields true.
  const inSlices = (steps) => {
    const mine = turn += 1;
    rows.setAttribute("aria-busy", "true");
    const slice = () => {
      const end = performance.now() + SLICE_MS;
      while (mine === turn) {
        const { done, value } = steps.next();
        if (done) return rows.setAttribute("aria-busy", "false");
        if (value || performance.now() > end) return setTimeout(slice);
      }
    };
    slice();
  };

  // The places in a text where its lines begin, and one more for the end.
  const startsOf = (lines) => {
    const starts = [0];
    for (let at = lines.indexOf("\n"); at >= 0; at = lines.indexOf("\n", at + 1)) starts.push(at + 1);
    return Uint32Array.from([...starts.slice(lines ? 0 : 1), lines.length + 1]);
  };

  // Entries of a language, the most frequent first; `folded` has a line for each, in lower case.
  const partOf = (list) => {
    const lower = list.words.toLowerCase();
    return { list, folded: "\n" + lower, foldedStarts: startsOf(lower), starts: startsOf(list.words) };
  };

  const open = () => {
    if (languages) return;
    const lists = JSON.parse(byId("find-data").textContent);
    languages = new Map(lists.languages.map((one) => [one.lang, { ...one, parts: [partOf(one)] }]));
    window.headtailEntries = (list) => {
      const found = languages.get(list.lang);
      if (list.id !== lists.id) return fail(list.lang, "belongs to another report");
      if (found && found.parts.length === 1) found.parts.push(partOf(list));
      more.disabled = false;
      show();
      text.focus();
    };
  };

  const fail = (code, reason) => {
    more.disabled = false;
    status.textContent = `entries/${code}.js ${reason}.`;
  };

  // The number of lines of a part that match, and the first of them; yields now and then.
  const find = function* (part, query, isPrefix) {
    const starts = part.foldedStarts, lines = [];
    if (!query) return { total: starts.length - 1, lines: [...Array(Math.min(SHOWN, starts.length - 1)).keys()] };
    const needle = isPrefix ? "\n" + query : query;
    let total = 0, line = 0;
    for (let at = part.folded.indexOf(needle); at >= 0; at = part.folded.indexOf(needle, starts[line + 1])) {
      while (starts[line + 1] < at + (isPrefix ? 1 : 0)) line += 1;
      if (lines.length < SHOWN) lines.push(line);
      total += 1;
      if (total % STEP_MATCHES === 0) yield;
    }
    return { total, lines };
  };

  // The first texts that hold an entry of a part, by its line.
  const examplesOf = (part, line) => {
    if (!part.examples) {
      part.examples = new Map();
      (part.list.held ?? []).forEach((lines, number) => {
        for (const each of lines) {
          const known = part.examples.get(each);
          if (!known) part.examples.set(each, [number]);
          else if (known.length < EXAMPLES) known.push(number);
        }
      });
    }
    return (part.examples.get(line) ?? []).map((number) => part.list.texts[number]);
  };

  const add = (parent, name, content, kind) => {
    const made = parent.appendChild(document.createElement(name));
    if (content !== undefined) made.textContent = content;
    if (kind) made.className = kind;
    return made;
  };

  const format = new Intl.NumberFormat("en");
  const number = (value) => (value === undefined ? "–" : format.format(value));

  const addRow = ({ language, part, line, count }) => {
    const { list } = part, of = (values) => values && (values[line] ?? 0);
    const row = add(rows, "tr"), head = add(row, "th");
    head.scope = "row";
    add(head, "bdi", list.words.slice(part.starts[line], part.starts[line + 1] - 1)).lang = language.lang;
    if (!lang.value) add(head, "code", ` ${language.lang}`, "soft");
    const examples = examplesOf(part, line);
    if (examples.length) {
      const details = add(head, "details", undefined, "small");
      add(details, "summary", examples.length === 1 ? "a text" : `${examples.length} texts`);
      for (const each of examples) add(add(details, "p"), "bdi", each);
    }
    for (const value of [count, of(list.kept), of(list.in_shards)]) add(row, "td", number(value), "num");
    let chance = !count || language.t === null ? undefined : Math.min(1, language.t / count);
    if (count && list.chance) chance = list.chance[line] / 1e6; // entries have targets
    add(row, "td", chance === undefined ? "–" : String(Number(chance.toPrecision(3))), "num");
    if (hasSources) add(add(row, "td"), "bdi", list.sources[LETTERS.indexOf(list.source[line])] || "–");
  };

  const answer = function* () {
    const query = text.value.trim().toLowerCase(), isPrefix = how.value === "prefix";
    const chosen = lang.value ? [languages.get(lang.value)] : [...languages.values()];
    let total = 0;
    const found = [];
    for (const language of chosen) {
      for (const part of lang.value ? language.parts : language.parts.slice(0, 1)) {
        const { total: here, lines } = yield* find(part, query, isPrefix);
        total += here;
        for (const line of lines) found.push({ language, part, line, count: part.list.count[line] ?? 0 });
        yield;
      }
    }
    found.sort((a, b) => b.count - a.count);
    const most = total > SHOWN ? ` The ${SHOWN} most frequent are shown.` : "";
    status.textContent = `${number(total)} ${total === 1 ? "entry" : "entries"}.${most}`;
    const waiting = lang.value && chosen[0].bytes && chosen[0].parts.length === 1;
    more.hidden = !waiting;
    if (waiting) {
      const size = (chosen[0].bytes / 1e6).toPrecision(2);
      more.textContent = `Load ${number(chosen[0].left)} more ${chosen[0].name} entries (${Number(size)} MB)`;
    }
    rows.textContent = "";
    for (let at = 0; at < Math.min(found.length, SHOWN); at += STEP_ROWS) {
      if (at) yield true; // the browser lays out these rows before it gets more
      found.slice(at, Math.min(at + STEP_ROWS, SHOWN)).forEach(addRow);
    }
  };

  const show = () => {
    open();
    inSlices(answer());
  };

  more.addEventListener("click", () => {
    const code = lang.value, script = document.createElement("script");
    more.disabled = true;
    status.textContent = "Loading …";
    script.src = `entries/${encodeURIComponent(code)}.js`;
    script.onerror = () => fail(code, "is not beside this page");
    document.head.appendChild(script);
  });
  text.addEventListener("input", show);
  for (const each of [lang, how]) each.addEventListener("change", show);
  text.addEventListener("focus", open, { once: true });
  byId("finder").hidden = false;
})();
