// The explorer's interface. `ask(request, onEvent)` carries a request away and returns what stops it.
// Whatever comes from a layer, names of labels above all, becomes text nodes: nothing is ever parsed as HTML.

const RULES = {
  threshold: "on where the logit is above 0",
  argmax: "one label, the largest logit",
  top_k: "the k largest logits",
};
const SAID = { argmaxable: "Possible", unargmaxable: "Impossible", undecided: "Undecided" };
const MEANING = {
  argmaxable: "Some input makes the layer output exactly this label set. A witness proves it.",
  unargmaxable: "No input makes the layer output exactly this label set. A certificate proves it.",
  undecided: "Neither a witness nor a certificate was found in the time given: it may be either.",
};
const TRUTHS = {
  ideal: "in real arithmetic, by the closed form",
  stored: "by the weights as stored",
  deployed: "by the forward pass, of some activation",
  features: "by the forward pass, of some features",
};
const ROWS = 100;
const AT_FIRST = 12; // labels of a long list
const PAUSE = 250; // milliseconds without a click before more than the verdict is asked for

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  // JupyterLab takes "b" for a new cell wherever nothing is typed: not at what has this.
  if (["button", "select"].includes(tag) || ["checkbox", "file"].includes(attributes.type)) element.dataset.lmSuppressShortcuts = "";
  element.append(...children.filter((child) => child != null));
  return element;
}

function fill(element, ...children) {
  element.replaceChildren(...children.filter((child) => child != null));
}

const number = (value) => value.toLocaleString("en-US");
const short = (value) => (value === 0 ? "0" : Number(value.toPrecision(3)).toString().replaceAll("-", "−"));
const share = (value) => `${(100 * value).toFixed(value > 0.1 && value < 0.9 ? 1 : 2)} %`;
const titleOf = ([id, name]) => (name === "" ? `label ${id}` : name);

function named(pair) {
  const [id, name] = pair;
  return make("span", { class: "label" }, titleOf(pair), name === "" ? null : make("span", { class: "id" }, ` (${id})`));
}

function listed(pairs, total = pairs.length) {
  const list = make("span", { class: "labels" }, ...pairs.slice(0, AT_FIRST).map(named));
  const hidden = pairs.slice(AT_FIRST);
  const beyond = total - pairs.length;
  const note = beyond > 0 ? make("span", { class: "note" }, ` and ${number(beyond)} more`) : null;
  if (!hidden.length) return make("span", {}, list, note);
  const all = () => {
    list.append(...hidden.map(named));
    button.remove();
  };
  const button = make("button", { type: "button", class: "link", onclick: all }, `and ${number(hidden.length)} more`);
  return make("span", {}, list, button, note);
}

function marginText([low, high]) {
  return `margin from ${short(low)} to ${short(high)}`;
}

function marginBar([low, high]) {
  // From −1 to 1; square roots, since most margins are small.
  const at = (x) => 50 + 50 * Math.sign(x) * Math.sqrt(Math.min(1, Math.abs(x)));
  const range = make("span", { class: "range" });
  range.style.left = `${at(low)}%`;
  range.style.width = `max(3px, ${at(high) - at(low)}%)`;
  const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("span", { class: "zero" }), range);
  return make("span", { class: "scale" }, bar, ...["−1", "0", "1"].map((text) => make("span", { class: "tick" }, text)));
}

export function mount(root, ask) {
  const selected = new Map();
  const stops = {};
  let rule = "threshold";
  let identity = 0;

  // A later request of the same name takes the place of an earlier one, whose events are no longer heard.
  function request(name, content, onEvent) {
    stop(name);
    const mine = (identity += 1);
    const end = ask({ do: name, ...content }, (event) => {
      if (stops[name]?.mine !== mine) return;
      if (event.kind === "end") delete stops[name];
      onEvent(event);
    });
    stops[name] = { mine, end };
  }

  function stop(name) {
    const running = stops[name];
    delete stops[name];
    running?.end();
    return running !== undefined;
  }

  const told = {}; // what to say of work that ends early
  const end = (name) => stop(name) && told[name]();

  const title = make("p", { class: "title" });
  const rules = make("select", { "aria-label": "Decision rule", onchange: (event) => chooseRule(event.target.value) });
  const query = make("input", { type: "search", placeholder: "name or id", "aria-label": "Search labels by name or id" });
  const results = make("ul", { class: "results", "aria-label": "Labels found" });
  const count = make("p", { class: "note", "aria-live": "polite" });
  const chips = make("div", { class: "chips" });
  const verdict = make("div", { class: "verdict", "aria-live": "polite" });
  const truths = make("div", { class: "truths" });
  const conflict = make("div", { class: "conflict" });
  const near = make("div", { class: "near" });

  function chooseRule(value) {
    rule = value;
    if (rule === "argmax" && selected.size > 1) [...selected.keys()].slice(0, -1).forEach((id) => selected.delete(id));
    changed();
  }

  function switched(id, name, on) {
    if (on && rule === "argmax") selected.clear();
    if (on) selected.set(id, name);
    else selected.delete(id);
    changed();
  }

  function select(pairs) {
    selected.clear();
    pairs.forEach(([id, name]) => selected.set(id, name));
    changed();
    verdict.scrollIntoView({ block: "nearest" });
  }

  function changed() {
    for (const box of results.querySelectorAll("input")) box.checked = selected.has(Number(box.value));
    fill(
      chips,
      ...[...selected].map(([id, name]) => {
        const off = () => {
          const place = [...chips.querySelectorAll(".chip")].indexOf(button);
          switched(id, name, false);
          (chips.querySelectorAll(".chip")[Math.max(0, place - 1)] ?? query).focus();
        };
        const about = `Switch off ${titleOf([id, name])}`;
        const button = make("button", { type: "button", class: "chip", title: about, "aria-label": about, onclick: off });
        button.append(named([id, name]), make("span", { "aria-hidden": "true" }, "×"));
        return button;
      }),
      selected.size ? null : make("span", { class: "note" }, "none: this is the empty set"),
      selected.size > 1 ? make("button", { type: "button", class: "link", onclick: () => select([]) }, "all off") : null,
    );
    decide();
  }

  let pausing;
  function decide(seconds) {
    const content = { labels: [...selected.keys()], rule, ...(seconds ? { seconds } : {}) };
    stop("details");
    clearTimeout(pausing);
    verdict.classList.add("pending");
    verdict.setAttribute("aria-busy", "true");
    [truths, conflict, near].forEach((part) => fill(part));
    request("verdict", content, (event) => {
      if (event.kind === "stopped") setTimeout(() => decide(seconds), 300); // another window asked at the same time
      if (event.kind === "error") fill(verdict, make("p", { class: "error" }, event.text));
      if (event.kind === "verdict") {
        showVerdict(event);
        pausing = setTimeout(() => request("details", content, showDetail), PAUSE);
      }
      if (event.kind === "verdict" || event.kind === "error") {
        verdict.dataset.labels = content.labels.join(",");
        verdict.classList.remove("pending");
        verdict.removeAttribute("aria-busy");
      }
    });
  }

  function showVerdict({ status, margin, reason, seconds, labels }) {
    const size = labels.length === 1 ? "1 label" : `${number(labels.length)} labels`;
    fill(
      verdict,
      make("p", { class: `status ${status}` }, make("strong", {}, SAID[status]), ` · ${status}`),
      make("p", {}, MEANING[status]),
      make("p", { class: "margin" }, marginText(margin), marginBar(margin)),
      make("p", { class: "note" }, "Above 0 is possible; the larger the margin, the more rounding the set survives."),
      reason ? make("p", { class: "note" }, reason) : null,
      status === "undecided"
        ? make("button", { type: "button", onclick: () => decide(600) }, "Try for up to 10 minutes")
        : null,
      make("p", { class: "note" }, `${size} on, decided ${seconds < 0.001 ? "before" : `in ${(1000 * seconds).toFixed(0)} ms`}`),
    );
    if (status === "unargmaxable") fill(near, make("p", { class: "note" }, "Looking for possible sets nearby …"));
  }

  function showDetail(event) {
    if (event.kind === "truths") showTruths(event);
    if (event.kind === "conflict") showConflict(event);
    if (event.kind === "near") showNear(event);
    if (event.kind === "near_end") showNearEnd(event);
    if (event.kind === "error") near.append(make("p", { class: "error" }, event.text));
  }

  function showTruths({ truths: known, note }) {
    const rows = Object.entries(known).map(([name, status]) => {
      // What the forward pass does not yield was not found; nothing rules it out.
      const open = name === "deployed" || name === "features" ? "none found" : "undecided";
      const said = status === null ? "…" : status === "undecided" ? open : SAID[status];
      const cell = make("td", { class: `status ${status ?? "pending"}` }, said);
      return make("tr", {}, make("th", { scope: "row" }, name), cell, make("td", { class: "note" }, TRUTHS[name]));
    });
    fill(truths, make("h3", {}, "Four truths about this head"), make("table", {}, ...rows), make("p", { class: "note" }, note));
  }

  function showConflict({ on, off, final }) {
    const side = (pairs, word) => (pairs.length ? make("p", {}, make("b", {}, `${word}: `), listed(pairs)) : null);
    const size = on.length + off.length;
    fill(
      conflict,
      make("h3", {}, size === 1 ? "One label is the conflict" : `${number(size)} labels contradict each other`),
      make("p", { class: "note" }, final
        ? "No input has the first on and the others off. Leave any one of them out of the demand, and the rest can be had."
        : "No input has the first on and the others off. Leaving out what can be spared …"),
      side(on, "on"),
      side(off, "off"),
    );
  }

  const nearest = [];
  function showNear(event) {
    if (!near.querySelector("ol")) {
      nearest.length = 0;
      fill(near, make("h3", {}, "Nearest possible sets"), make("ol"), make("p", { class: "note" }, "searching …"));
    }
    nearest.push(event);
    nearest.sort((a, b) => a.flips - b.flips);
    if (nearest[0].flips > 1) nearest.length = 1; // each was reached on the way to the next
    fill(near.querySelector("ol"), ...nearest.slice(0, 20).map(nearItem));
  }

  function nearItem({ added, removed, flips, labels }) {
    const shown = added.length + removed.length;
    const parts = [["switch on", added], ["switch off", removed]].filter(([, pairs]) => pairs.length);
    const use = () => {
      const names = new Map([...selected, ...added]);
      select(labels.map((id) => [id, names.get(id) ?? ""]));
    };
    return make(
      "li",
      {},
      ...parts.flatMap(([word, pairs]) => [`${word} `, listed(pairs), " "]),
      flips > shown ? make("span", { class: "note" }, `and ${number(flips - shown)} more `) : null,
      labels.length <= 500 ? make("button", { type: "button", class: "link", onclick: use }, "use this set") : null,
    );
  }

  function showNearEnd({ all, minimal }) {
    const found = near.querySelector("ol")?.childElementCount;
    const flips = found ? nearest[0].flips : 0;
    const text = all
      ? `All possible sets that differ in one label: ${number(nearest.length)}${nearest.length > found ? `, of which ${found} are shown` : ""}.`
      : flips === 1
        ? "Some of the sets that differ in one label: there was no time to try all."
        : minimal
          ? `${number(flips)} labels differ. None of them can be switched back alone; perhaps there are nearer sets.`
          : `${number(flips)} labels differ: the nearest set in half a minute; there may be nearer ones.`;
    if (found) near.lastElementChild.replaceWith(make("p", { class: "note" }, text));
    else fill(near, make("p", { class: "note" }, "No possible set was found nearby."));
  }

  let typing;
  function search() {
    request("find", { text: query.value }, (event) => {
      if (event.kind === "error") fill(count, event.text);
      if (event.kind === "stopped") search();
      if (event.kind !== "found") return;
      fill(results, ...event.found.map(([id, name]) => {
        const box = make("input", { type: "checkbox", value: id, onchange: () => switched(id, name, box.checked) });
        box.checked = selected.has(id);
        return make("li", {}, make("label", {}, box, named([id, name])));
      }));
      const more = event.total > event.found.length ? `, the first ${event.found.length} are shown` : "";
      fill(count, event.total === 1 ? "1 label" : `${number(event.total)} labels${more}`);
    });
  }
  query.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(search, 80);
  });
  query.addEventListener("keydown", (event) => {
    if (event.key === "Enter") results.querySelector("input")?.click();
    if (event.key === "ArrowDown") results.querySelector("input")?.focus();
  });
  results.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const boxes = [...results.querySelectorAll("input")];
    (boxes[boxes.indexOf(document.activeElement ?? event.target) + step] ?? query).focus();
  });

  const shell = make(
    "div",
    { class: "sigfft-explorer" },
    make("header", {}, make("h1", {}, "Which label sets can this layer output?"), title),
    make(
      "div",
      { class: "columns" },
      make(
        "section",
        { "aria-label": "Labels" },
        make("label", { class: "rule" }, "Rule ", rules),
        query,
        results,
        count,
      ),
      make("section", { "aria-label": "Verdict" }, make("h2", {}, "Labels that are on"), chips, verdict, truths, conflict, near),
    ),
    make("div", { class: "columns" }, manySets(), randomSets()),
  );
  fill(root, shell);
  fill(title, "waiting for an answer …"); // a notebook gives none while a cell runs

  request("about", {}, (event) => {
    if (event.kind === "error") fill(title, make("span", { class: "error" }, event.text));
    if (event.kind !== "about") return;
    fill(title, event.title);
    fill(rules, ...event.rules.map((name) => make("option", { value: name }, `${name}: ${RULES[name] ?? ""}`)));
    search();
    changed();
  });

  // Many sets: from a file or pasted, the least certain first.
  function manySets() {
    const text = make("textarea", { rows: 4, spellcheck: "false", placeholder: "3,17,20\n5,8", "aria-label": "Label sets, one a line" });
    const file = make("input", { type: "file", "aria-label": "File of label sets" });
    const table = make("table", { class: "sets" });
    const status = make("p", { class: "note", "aria-live": "polite" });
    const more = make("button", { type: "button", class: "link", hidden: true, onclick: () => ((shown += ROWS), draw()) });
    let rows = [];
    let shown = ROWS;
    let descending = false;
    file.addEventListener("change", async () => {
      if (file.files.length) text.value = await file.files[0].text();
      file.value = "";
      run();
    });

    function run() {
      rows = [];
      shown = ROWS;
      end("share"); // one of the two at a time
      fill(status, "reading …");
      draw();
      let drawn = 0;
      request("sets", { text: text.value, rule }, (event) => {
        if (event.kind === "error") fill(status, make("span", { class: "error" }, event.text));
        if (event.kind === "stopped") told.sets();
        if (event.kind !== "rows") return;
        rows.push(...event.rows);
        const impossible = rows.filter((row) => row.status === "unargmaxable").length;
        const undecided = rows.filter((row) => row.status === "undecided").length;
        const left = event.done < event.total ? ` of ${number(event.total)} distinct sets so far` : " distinct sets";
        fill(status, `${number(event.done)}${left}: ${number(impossible)} impossible, ${number(undecided)} undecided`);
        if (performance.now() - drawn > 250 || event.done === event.total) {
          draw();
          drawn = performance.now();
        }
      });
    }

    function draw() {
      const middle = (row) => row.margin[0] + row.margin[1];
      const rank = { unargmaxable: 0, undecided: 1, argmaxable: 2 };
      rows.sort((a, b) => (descending ? -1 : 1) * (rank[a.status] - rank[b.status] || middle(a) - middle(b)));
      const turn = () => ((descending = !descending), draw());
      const arrow = make("button", { type: "button", class: "link", onclick: turn }, `margin ${descending ? "▼" : "▲"}`);
      const head = make("tr", {}, make("th", {}, "verdict"), make("th", { "aria-sort": descending ? "descending" : "ascending" }, arrow), make("th", {}, "label set"), make("th"));
      fill(table, ...(rows.length ? [make("thead", {}, head), make("tbody", {}, ...rows.slice(0, shown).map(row))] : []));
      more.hidden = rows.length <= shown;
      more.textContent = `${number(Math.max(0, rows.length - shown))} more sets`;
    }

    function row(set) {
      const use = () => {
        const names = new Map(set.shown);
        select(set.labels.map((id) => [id, names.get(id) ?? ""]));
      };
      return make(
        "tr",
        {},
        make("td", { class: `status ${set.status}`, title: set.reason }, SAID[set.status]),
        make("td", { class: "number" }, `${short(set.margin[0])} to ${short(set.margin[1])}`),
        make("td", {}, set.labels.length ? listed(set.shown, set.labels.length) : "the empty set", set.times > 1 ? make("span", { class: "note" }, ` ${number(set.times)} times`) : null),
        make("td", {}, make("button", { type: "button", class: "link", onclick: use }, "look")),
      );
    }

    told.sets = () => {
      draw();
      fill(status, `stopped after ${number(rows.length)} sets`);
    };
    return make(
      "section",
      { class: "many", "aria-label": "Many label sets" },
      make("h2", {}, "Many label sets"),
      make("p", { class: "note" }, "Ids of labels, one set a line; JSON lines; or a file of the Extreme Classification repository."),
      text,
      make("p", { class: "actions" }, make("button", { type: "button", onclick: run }, "Decide all"), file, make("button", { type: "button", onclick: () => end("sets") }, "Stop")),
      status,
      make("div", { class: "scroll" }, table),
      more,
    );
  }

  // Random sets of one size, and the share of all of that size that this shows.
  function randomSets() {
    const size = make("input", { type: "number", min: 1, value: 3 });
    const sample = make("input", { type: "number", min: 1, max: 1000000, value: 1000 });
    const said = make("div", { class: "share", "aria-live": "polite" });

    function run() {
      end("sets");
      fill(said, "drawing …");
      const content = { cardinality: Math.trunc(Number(size.value)), count: Math.trunc(Number(sample.value)), rule };
      request("share", content, (event) => {
        if (event.kind === "error") fill(said, make("p", { class: "error" }, event.text));
        if (event.kind === "stopped") told.share();
        if (event.kind === "share") show(event, content);
      });
    }

    function show({ done, total, exact, argmaxable, undecided, low, high }, { cardinality }) {
      const range = make("span", { class: "range" });
      range.style.left = `${100 * (low ?? 0)}%`;
      range.style.width = `max(3px, ${100 * ((high ?? 1) - (low ?? 0))}%)`;
      const bar = make("span", { class: "bar", "aria-hidden": "true" }, range);
      const sets = exact ? `all sets of ${cardinality}` : `random sets of ${cardinality}`;
      const left = undecided ? `, ${number(undecided)} undecided` : "";
      const interval = low === null
        ? "share: once all are decided"
        : exact ? `share ${share(low)}` : `share of all such sets: ${share(low)} to ${share(high)}, with 95 % confidence`;
      fill(
        said,
        make("p", {}, make("strong", {}, `${number(argmaxable)} of ${number(done)}`), ` ${sets} possible${left}`),
        make("p", {}, interval),
        make("p", { class: "scale" }, bar, make("span", { class: "tick" }, "0 %"), make("span", { class: "tick" }, "100 %")),
        make("p", { class: "note" }, done < total ? `${number(total - done)} to go` : "done"),
      );
    }

    told.share = () => said.append(make("p", { class: "note" }, "stopped; the interval holds unless the share made you stop"));
    return make(
      "section",
      { class: "random", "aria-label": "Random label sets" },
      make("h2", {}, "Random label sets"),
      make("p", { class: "note" }, "How many sets of one size can be output?"),
      make("p", { class: "actions" }, make("label", {}, "labels each ", size), make("label", {}, "sets ", sample)),
      make("p", { class: "actions" }, make("button", { type: "button", onclick: run }, "Draw"), make("button", { type: "button", onclick: () => end("share") }, "Stop")),
      said,
    );
  }
}
