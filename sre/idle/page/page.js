"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const IDLE = new Set(data.idle), ROW = 31;

  // One object a card, with everything that is sorted or searched by made once.
  const cards = data.rows.map(([uuid, mig, pool, type, host, gpu, signal, tenths, course], number) => {
    const idle = data.idle.reduce((sum, state) => sum + tenths[state], 0);
    const total = tenths.reduce((sum, part) => sum + part, 0);
    const card = { number, uuid, mig, host, gpu, tenths, course, idle, total, pool: data.pools[pool], owner: data.owners[pool],
      type: data.types[type], signal: data.signals[signal], share: total ? idle / total : 0 };
    card.text = [uuid, mig, host, card.pool, card.owner, card.type].join(" ").toLowerCase();
    return card;
  });

  const hours = (tenths) => (tenths / 10).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const columns = [
    ["card", (c) => c.uuid + c.mig, (c) => (c.uuid || "(not seen)") + (c.mig ? " / " + c.mig : "")],
    ["pool", (c) => c.pool, (c) => c.pool || "(no pool)"], ["owner", (c) => c.owner], ["type", (c) => c.type],
    ["host", (c) => c.host], ["told by", (c) => c.signal],
    ["idle share", (c) => c.share, (c) => (100 * c.share).toFixed(1) + "%", true], ["idle hours", (c) => c.idle, (c) => hours(c.idle), true],
    ...data.spelled.map((name, state) => [name, (c) => c.tenths[state], (c) => hours(c.tenths[state]), true]),
  ];
  let sorted = 7, down = true, shown = cards;

  // Sorted by keys taken once, not by comparing texts of cards again and again.
  const order = () => {
    const began = performance.now();
    const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean), only = byId("onlyidle").checked;
    shown = cards.filter((c) => words.every((word) => c.text.includes(word)) && (!only || c.share > 0.5));
    const key = columns[sorted][1], numeric = columns[sorted][3];
    const keyed = shown.map((card) => [key(card), card]);
    keyed.sort(numeric ? (a, b) => a[0] - b[0] || a[1].number - b[1].number
      : (a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1].number - b[1].number));
    if (down) keyed.reverse();
    shown = keyed.map((pair) => pair[1]);
    head(); rows(); byId("box").dataset.milliseconds = String(performance.now() - began);
    byId("count").textContent = `${shown.length.toLocaleString("en")} of ${cards.length.toLocaleString("en")} rows`;
    heat();
  };

  const element = (name, text, numeric) => {
    const made = document.createElement(name);
    made.textContent = text;
    if (numeric) made.className = "num";
    return made;
  };
  const head = () => byId("head").replaceChildren(...columns.map(([name, , , numeric], place) => {
    const cell = element("th", name, numeric);
    cell.tabIndex = 0;
    if (place === sorted) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
    const turn = () => { down = place === sorted ? !down : Boolean(numeric); sorted = place; order(); };
    cell.onclick = turn;
    cell.onkeydown = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); turn(); } };
    return cell;
  }));

  // Only what is in sight is in the document: ten thousand rows scroll like forty.
  const spacer = (height) => { const row = document.createElement("tr"); row.style.height = `${height}px`; return row; };
  const rows = () => {
    const box = byId("box"), first = Math.max(0, Math.floor(box.scrollTop / ROW) - 10);
    const last = Math.min(shown.length, first + Math.ceil(box.clientHeight / ROW) + 20);
    const made = shown.slice(first, last).map((card) => {
      const row = document.createElement("tr");
      row.append(...columns.map(([, key, text, numeric], place) => {
        const cell = element("td", place || !data.dashboards || !card.uuid ? String((text || key)(card)) : "", numeric);
        if (!cell.textContent && !place) {
          const link = element("a", columns[0][2](card));
          link.href = `${data.dashboards}?var-host=${encodeURIComponent(card.host)}&var-uuid=${encodeURIComponent(card.uuid)}${data.period}`;
          link.rel = "noopener noreferrer";
          cell.append(link);
        }
        return cell;
      }));
      return row;
    });
    byId("body").replaceChildren(spacer(first * ROW), ...made, spacer((shown.length - last) * ROW));
  };

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return [...data.states, "nowhere"].map((name) => {
      const hex = style.getPropertyValue(`--${name}`).trim();
      return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    });
  };
  const heat = () => {
    const canvas = byId("heat"), wide = data.times.length, high = shown.length;
    canvas.width = Math.max(1, wide); canvas.height = Math.max(1, high);
    canvas.style.height = `${high * (high > 4000 ? 1 : high > 800 ? 2 : high > 100 ? 5 : 14)}px`;
    const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height), tones = colours();
    shown.forEach((card, y) => {
      for (let x = 0; x < wide; x++) {
        const [r, g, b] = tones[card.course.charCodeAt(x) - 48] || tones[tones.length - 1], at = 4 * (y * wide + x);
        image.data[at] = r; image.data[at + 1] = g; image.data[at + 2] = b; image.data[at + 3] = 255;
      }
    });
    context.putImageData(image, 0, 0);
  };
  byId("heat").onpointermove = byId("heat").onpointerdown = (event) => {
    const box = byId("heat").getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * data.times.length);
    const card = shown[Math.floor((event.clientY - box.top) / box.height * shown.length)];
    if (card && data.times[x]) {
      const state = data.spelled[card.course.charCodeAt(x) - 48] || "not there";
      byId("cell").textContent = `${data.times[x]} · ${columns[0][2](card)} · ${card.pool || "no pool"} · ${state}`;
    }
  };

  byId("theme").hidden = byId("map").hidden = byId("cards").hidden = false;
  byId("theme").onclick = () => {
    const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = root.dataset.theme || (dark ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    heat();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", heat);
  let waiting = 0;
  byId("filter").oninput = () => { clearTimeout(waiting); waiting = setTimeout(order, 120); };
  byId("onlyidle").onchange = order;
  byId("box").onscroll = () => requestAnimationFrame(rows);
  order();
})();
