// What tests/test_explorer.py asks of a page; its script's own names are in reach.

const pixelsOf = (id) => {
  const image = element(id).getContext("2d").getImageData(0, 0, 28, 28).data;
  return Array.from({ length: 784 }, (_, index) => image[4 * index + 3]); // alpha is ink
};

const pointer = (id, type, place = {}) =>
  element(id).dispatchEvent(new PointerEvent(type, { pointerId: 1, ...place }));

const drag = (id, places) =>
  places.forEach(([x, y], index) => {
    const box = element(id).getBoundingClientRect();
    const place = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
    pointer(id, index ? "pointermove" : "pointerdown", place);
  });

const draw = (points) => {
  element("clear").click();
  drag("pad", points);
  pointer("pad", "pointerup");
  const [two, long] = [pixelsOf("from-two"), pixelsOf("from-many")];
  const seen = Array.from(asMnist());
  return { seen, code: [...place], longCode: [...manyCode], two, many: long };
};

const refused = [];

const probes = {
  networks(codes, pictures) {
    const run = (model, side, inputs) => inputs.map((input) => [...side(model, input)]);
    return {
      plane: run(plane, decode, codes.plane),
      many: run(many, decode, codes.many),
      planeMeans: run(plane, encode, pictures),
      manyMeans: run(many, encode, pictures),
    };
  },

  decodedAndDrawn(code, count) {
    const codes = Array.from({ length: count }, () => randomCode(plane)).flat();
    return [[...decode(plane, code)], codes, ...probes.alone()];
  },

  movement() {
    const now = () => ({ code: [...place], reach, pixels: pixelsOf("plane-digit") });
    drag("plane", [[0.5, 0.5], [0.6, 0.4], [0.75, 0.25]]);
    const dragged = now();
    pointer("plane", "pointerup");
    pointer("plane", "pointermove");
    const after = now();
    element("plane").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
    return [dragged, after, now()];
  },

  sliding() {
    const now = () => ({ code: [...manyCode], pixels: pixelsOf("many-digit") });
    element("reset").click();
    const reset = now();
    const { latent, input } = sliders[0];
    input.value = -1.5;
    input.dispatchEvent(new Event("input"));
    const moved = now();
    element("random").click();
    const random = now();
    element("real").click();
    const count = document.querySelectorAll("input[type=range]").length;
    return { states: { reset, moved, random, real: now() }, latent, count };
  },

  drawing(...shapes) {
    const drawn = shapes.map(draw);
    element("clear").click();
    const update = () => {
      const start = performance.now();
      moveTo([Math.random(), Math.random()]);
      setManyCode(randomCode(many));
      return performance.now() - start;
    };
    const fastest = Math.min(...Array.from({ length: 50 }, update));
    const blank = pixelsOf("from-two").concat(pixelsOf("from-many"));
    return { drawn, blank, fastest };
  },

  alone: () => [
    element("many-section").hidden,
    sliders.length,
    getComputedStyle(element("from-many-figure")).display,
  ],

  refused: () => refused,
};

const reachOut = () => {
  addEventListener("securitypolicyviolation", (event) => {
    refused.push(event.effectiveDirective);
  });
  fetch("http://127.0.0.1:9/").catch(() => {});
  try { new WebSocket("ws://127.0.0.1:9/"); } catch { refused.push("socket"); }
  new Image().src = "http://127.0.0.1:9/a.png";
};
