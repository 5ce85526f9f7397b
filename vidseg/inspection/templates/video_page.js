"use strict";
(() => {
  const clock = (seconds) => {
    const tenths = Math.round(seconds * 10);
    const minutes = Math.floor(tenths / 600);
    const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, "0");
    return minutes < 60
      ? `${minutes}:${rest}`
      : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
  };

  // A link to a track, from a moment or from elsewhere, opens it.
  const openLinked = () => {
    const track = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (track && track.matches("details.track")) {
      track.hidden = false;
      track.open = true;
      track.querySelector("summary").focus();
      track.scrollIntoView({ block: "start" });
    }
  };

  const copy = async (button) => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(code);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };

  const arrange = (video) => {
    const list = video.querySelector(".tracks");
    const name = video.querySelector("[data-do=filter]").value;
    const order = video.querySelector("[data-do=sort]").value;
    const sign = order === "frames" || order === "area" ? -1 : 1;
    const tracks = [...list.children];
    tracks.sort((a, b) => sign * (a.dataset[order] - b.dataset[order]) || a.dataset.start - b.dataset.start);
    let shown = 0;
    for (const track of tracks) {
      track.hidden = name !== "" && track.dataset.name !== name;
      shown += track.hidden ? 0 : 1;
    }
    list.append(...tracks);
    const status = video.querySelector("[data-role=shown]");
    const all = tracks.length === 1 ? "1 track" : `${tracks.length} tracks`;
    status.textContent = shown === tracks.length ? all : `${shown} of ${all}`;
  };

  // Arrows go from track to track; Escape closes the one that is open.
  const onKey = (event) => {
    const summary = event.target.closest("details.track > summary");
    const track = event.target.closest("details.track");
    if (event.key === "Escape" && track && track.open) {
      track.open = false;
      track.querySelector("summary").focus();
      return;
    }
    if (!summary || !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
    const all = [...track.parentElement.children].filter((each) => !each.hidden);
    const here = all.indexOf(track);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
    const next = all[Math.min(Math.max(to, 0), all.length - 1)];
    event.preventDefault();
    next.querySelector("summary").focus();
  };

  // The best view is in the page once, as the small picture of its track.
  const showBest = (track) => {
    const figure = track.querySelector(".best[hidden]");
    if (!figure) return;
    figure.prepend(track.querySelector(".thumb img").cloneNode());
    figure.hidden = false;
  };

  const cursor = document.querySelector(".cursor");
  const onMove = (event) => {
    const lane = event.target.closest(".lane, .curve svg");
    cursor.hidden = !lane;
    if (!lane) return;
    const box = lane.getBoundingClientRect();
    const video = lane.closest(".video").dataset;
    const view = lane.viewBox.baseVal; // the whole video is 10000 wide
    const inside = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const share = (view.x + inside * view.width) / 10000;
    cursor.style.left = `${event.clientX}px`;
    cursor.style.top = `${box.top}px`;
    cursor.style.height = `${box.height}px`;
    const time = +video.start + share * (video.end - video.start);
    cursor.firstElementChild.textContent = "timed" in video ? clock(time) : `frame ${Math.floor(time)}`;
  };

  for (const controls of document.querySelectorAll(".controls")) {
    const video = controls.closest(".video");
    controls.hidden = false;
    controls.addEventListener("change", () => arrange(video));
    arrange(video);
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do=copy]");
    if (button) copy(button);
    const link = event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) openLinked();
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.matches("details.track[open]")) showBest(event.target);
  }, true);
  document.addEventListener("keydown", onKey);
  document.addEventListener("pointermove", onMove);
  document.addEventListener("scroll", () => { cursor.hidden = true; }, { passive: true });
  addEventListener("hashchange", openLinked);
  openLinked();
})();
