// Draws every chart of the page from the specification beside it; nothing is fetched.
(function () {
  "use strict";

  var shared = JSON.parse(document.getElementById("datasets").textContent);

  function showPicture(place) {
    var picture = document.createElement("img");
    picture.src = "./downloads/" + place.dataset.name + ".svg";
    picture.alt = place.getAttribute("aria-label");
    place.replaceChildren(picture);
  }

  function draw(place) {
    var name = place.dataset.name;
    var specification = JSON.parse(document.getElementById(name + "-chart").textContent);
    specification.datasets = specification.datasets || {};
    place.dataset.datasets.split(" ").filter(Boolean).forEach(function (key) {
      specification.datasets[key] = shared[key];
    });
    var options = {
      mode: "vega-lite",
      renderer: place.dataset.renderer,
      actions: false,
    };
    return window.vegaEmbed(place, specification, options).then(
      function () { place.dataset.drawn = "yes"; },
      function (error) {
        console.error(name, error);
        showPicture(place);
      }
    );
  }

  // Works in a frame and on a page from a file, where the clipboard's own interface is refused.
  function copy(button) {
    var range = document.createRange();
    range.selectNodeContents(button.closest(".aam-sequence, .aam-details").querySelector("code"));
    var selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected: now copy it";
  }

  function showAll(button) {
    document.getElementById(button.dataset.table).querySelectorAll(".aam-more").forEach(
      function (row) { row.hidden = false; }
    );
    button.hidden = true;
  }

  // Says that a table goes on beside the screen, which a phone does not show.
  function hintAtWidth(place) {
    if (place.scrollWidth <= place.clientWidth + 1) { return; }
    var hint = document.createElement("p");
    hint.className = "aam-hint";
    hint.textContent = "Scroll this table sideways to see all its columns \u2192";
    place.before(hint);
  }

  document.documentElement.lang = "en";
  document.querySelectorAll(".aam-chart").forEach(draw);
  document.querySelectorAll(".aam-scroll").forEach(hintAtWidth);
  document.querySelectorAll(".aam-copy").forEach(function (button) {
    button.addEventListener("click", function () { copy(button); });
  });
  document.querySelectorAll(".aam-show").forEach(function (button) {
    button.addEventListener("click", function () { showAll(button); });
  });
})();
