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

  document.querySelectorAll(".aam-chart").forEach(draw);
})();
