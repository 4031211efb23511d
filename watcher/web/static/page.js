// What a page does beyond its HTML: it keeps itself current, carries its mood in title and icon, and copies paths.
"use strict";
(() => {
  const SOONEST = 3000; // milliseconds between two looks, and between looks that nothing has asked for
  const ANYWAY = 30000;
  const main = () => document.getElementById("main");
  let source = null;
  let looked = Date.now();
  let due = null;

  function refresh() {
    if (due || !main()?.dataset.events) return;
    due = setTimeout(() => {
      due = null;
      looked = Date.now();
      htmx.trigger(main(), "refresh");
    }, Math.max(Math.random() * 400, looked + SOONEST - Date.now()));
  }

  // A browser has few connections to one place: only the page that is seen holds one.
  function listen() {
    if (document.hidden || !main()?.dataset.events) {
      source?.close();
      source = null;
    } else if (!source) {
      source = new EventSource(main().dataset.events);
      source.addEventListener("change", refresh);
    }
  }

  function dress() {
    const icon = document.querySelector("link[rel=icon]");
    if (main()?.dataset.mood && icon.getAttribute("href") !== main().dataset.mood) icon.setAttribute("href", main().dataset.mood);
  }

  function stale(is) {
    document.getElementById("stale").hidden = !is;
  }

  document.addEventListener("htmx:after:swap", dress);
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail;
    stale(!ctx.response.raw.ok);
    // A page that says what is wrong must not take the place of what was there.
    if (!ctx.response.raw.ok) event.preventDefault();
    const title = /<title>([^<]*)<\/title>/.exec(ctx.text || "");
    if (title) {
      const area = document.createElement("textarea");
      area.innerHTML = title[1];
      document.title = area.value;
    }
  });
  document.addEventListener("htmx:error", () => stale(true));
  document.addEventListener("visibilitychange", () => {
    listen();
    if (!document.hidden) refresh();
  });
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.classList.add("done");
      document.getElementById("told").textContent = button.dataset.done;
      setTimeout(() => {
        button.classList.remove("done");
        document.getElementById("told").textContent = "";
      }, 2000);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(button.previousElementSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    }
  });

  document.documentElement.classList.add("js");
  document.getElementById("problem")?.focus();
  listen();
  setInterval(refresh, ANYWAY);
})();
