// Draws every chart of the page from the specification beside it; nothing is fetched.
(function () {
  "use strict";

  var shared = JSON.parse(document.getElementById("datasets").textContent);

  function showPicture(place) {
    var picture = document.createElement("img");
    picture.src = "./downloads/" + place.dataset.name + ".svg";
    picture.alt = "chart";
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
    document.querySelectorAll(".aam-more").forEach(function (row) { row.hidden = false; });
    button.hidden = true;
  }

  document.querySelectorAll(".aam-chart").forEach(draw);
  document.querySelectorAll(".aam-copy").forEach(function (button) {
    button.addEventListener("click", function () { copy(button); });
  });
  document.querySelectorAll(".aam-show").forEach(function (button) {
    button.addEventListener("click", function () { showAll(button); });
  });
})();
