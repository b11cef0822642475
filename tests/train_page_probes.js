// What tests/test_train_page.py asks of the page; its script's own names are in reach.

const fill = (array, values) => array.set(values);

const plain = (slopes) =>
  LAYERS.map((name) => [[...slopes[name].kernel], [...slopes[name].bias]]);

// The page's own slopes, from weights, pictures and noise that are given.
const slopesOf = ({ size, latents, likelihood, weights, x, noise, beta, bug }) => {
  const model = newModel(seeded(0), size, latents, likelihood);
  LAYERS.forEach((name, index) => {
    fill(model[name].kernel, weights[index][0]);
    fill(model[name].bias, weights[index][1]);
  });
  const pass = forward(model, Float64Array.from(x), noise, bug);
  const slopes = backward(model, pass, weightsOf(model, { beta, bug }), bug);
  const [rate, distortion] = [sumOf(ratesOf(model, pass)), distortionOf(model, pass)];
  return { slopes: plain(slopes), rate, distortion };
};

const adamOf = (weights, slopes, learningRate) => {
  const values = Float64Array.from(weights);
  const memory = { first: new Float64Array(values.length), second: new Float64Array(values.length) };
  return slopes.map((given, index) => {
    adamStep(values, given, memory, index + 1, learningRate);
    return [...values];
  });
};

const choose = (id, value) => {
  element(id).value = value;
  element(id).dispatchEvent(new Event(id === "seed" ? "change" : "input"));
};
const chooseRadio = (value) => document.querySelector(`input[value=${value}]`).click();

const set = (wanted) => {
  for (const slider of SLIDERS) {
    if (slider.name in wanted) choose(slider.name, slider.values.indexOf(wanted[slider.name]));
  }
  chooseRadio(wanted.bug ?? "none");
  element("reset").click();
};

const weightsNow = () => LAYERS.flatMap((name) => [...run.model[name].kernel, ...run.model[name].bias]);
const status = () => element("status").textContent;
const differ = (one, other) => one.some((value, index) => value !== other[index]);

// A screen of our own, which asks for a frame every so many milliseconds.
const waiting = new Map();
let [asked, now] = [0, performance.now()];
globalThis.requestAnimationFrame = (callback) => {
  waiting.set((asked += 1), callback);
  return asked;
};
globalThis.cancelAnimationFrame = (id) => waiting.delete(id);
const frames = (count, between, each = () => {}) => {
  now = Math.max(now, performance.now());
  for (let index = 0; index < count; index++) {
    now += between;
    const callbacks = [...waiting.values()];
    waiting.clear();
    callbacks.forEach((callback) => callback(now));
    each();
  }
};

const inked = (id) => {
  const { width, height } = element(id);
  const { data: bytes } = element(id).getContext("2d").getImageData(0, 0, width, height);
  return bytes.reduce((total, value) => total + value, 0);
};

const pointer = (type, [x, y]) => {
  const box = element("pad").getBoundingClientRect();
  const place = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
  element("pad").dispatchEvent(new PointerEvent(type, { pointerId: 1, ...place }));
};
const press = (key) => element("pad").dispatchEvent(new KeyboardEvent("keydown", { key }));

const luminanceOf = (colour) => {
  const bytes = colour.match(/[\d.]+/g).map(Number);
  return luminance(`#${bytes.slice(0, 3).map((byte) => byte.toString(16).padStart(2, "0")).join("")}`);
};
const contrast = (one, other) => {
  const [dark, light] = [one, other].map(luminanceOf).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};
const backgroundOf = (place) => {
  const { backgroundColor } = getComputedStyle(place);
  return /, 0\)$/.test(backgroundColor) ? backgroundOf(place.parentElement) : backgroundColor;
};
const textContrasts = () => {
  const places = [...document.body.querySelectorAll("*")].filter((place) =>
    place.checkVisibility() && [...place.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return places.map((place) => [
    place.id || place.textContent.trim().slice(0, 20),
    contrast(getComputedStyle(place).color, backgroundOf(place)),
  ]);
};

const probes = {
  slopes: (cases, adam) => ({ cases: cases.map(slopesOf), adam: adamOf(...adam) }),

  experiments(wanted) {
    return wanted.map((one) => {
      if (one.data) chooseRadio(one.data);
      set(one);
      for (let step = 0; step < one.steps; step++) trainingStep();
      show();
      const { rate, distortion, sum } = latest;
      const [far, samples] = [Math.max(...latest.pass.mean.map(Math.abs)), decode(run.model, run.codes)];
      const places = [...samples.outputs.map(sigmoid)].slice(0, 400);
      return { rate, distortion, sum, reported: run.reported, far, places };
    });
  },

  controls() {
    const start = { steps: run.steps, weights: weightsNow(), running: clock.running };
    element("step").click();
    const one = { steps: run.steps, weights: weightsNow(), status: status() };
    const texts = [];
    element("start").click();
    const button = element("start").textContent;
    choose("speed", 1);
    frames(70, 500, () => { if (texts[texts.length - 1] !== status()) texts.push(status()); });
    for (let press = 0; press < 4; press++) element("start").click();
    const pending = waiting.size;
    element("start").click();
    const paused = { steps: run.steps, status: status(), button: element("start").textContent };
    frames(3, 100);
    const still = run.steps;
    const shown = ["plane", "given", "invented", "loss", "bars"].map(inked);
    const labels = ["plane", "loss", "bars"].map((id) => element(id).getAttribute("aria-label"));
    element("reset").click();
    const again = { steps: run.steps, weights: weightsNow() };
    element("step").click();
    const sameStep = !differ(weightsNow(), one.weights);
    choose("seed", 2);
    const other = differ(weightsNow(), again.weights);
    set({ latents: 5 });
    const five = { codes: latest.pass.mean.length, rates: latest.rates.length };
    return {
      start, one, button, texts, pending, paused, still, shown, labels, five,
      same: !differ(start.weights, again.weights), sameStep, other,
    };
  },

  calm() {
    Object.defineProperty(calm, "matches", { value: true });
    let [shows, before] = [0, clock.drawn];
    element("start").click();
    frames(25, 200, () => {
      shows += clock.drawn !== before;
      before = clock.drawn;
    });
    return { shows, steps: run.steps };
  },

  extremes() { // of every setting: nothing breaks, and what broke is said
    let finite = true;
    for (const data of ["digits", "points"]) {
      chooseRadio(data);
      for (const bug of ["none", "mean", "deviation", "batch"]) {
        set({ beta: 20, learningRate: 0.1, latents: 8, bug });
        for (let step = 0; step < 20; step++) trainingStep();
        element("step").click();
        finite &&= weightsNow().every(Number.isFinite);
      }
    }
    run.model.outputs.bias[0] = NaN;
    element("start").click();
    frames(2, 100);
    return { finite, status: status(), running: clock.running };
  },

  pad() {
    chooseRadio("points");
    const ours = points.length;
    element("clear").click();
    element("start").click();
    const refusedStart = [clock.running, status()];
    pointer("pointerdown", [0.25, 0.75]);
    pointer("pointermove", [0.255, 0.75]); // too near
    pointer("pointermove", [0.5, 0.75]);
    pointer("pointerup", [0.5, 0.75]);
    pointer("pointermove", [0.9, 0.9]); // the pointer is up
    element("pad").focus();
    for (const key of ["ArrowUp", "ArrowRight", "Enter", "Tab"]) press(key);
    const placed = points.map((place) => [...place]);
    const spoken = status();
    element("start").click();
    frames(20, 100);
    const [running, steps, codes] = [clock.running, run.steps, latest.pass.mean.length / settings.latents];
    element("clear").click();
    frames(1, 100);
    const stopped = [clock.running, status()];
    setPoints(Array.from({ length: 400 }, () => [0.5, 0.5]));
    const most = points.length;
    setPoints([]);
    addPoint([1.5, -0.5]);
    const inside = points.flat().every((value) => value >= 0 && value <= 1);
    const units = [...document.querySelectorAll(".unit")].map((place) => place.textContent);
    const shown = [element("digits-section").checkVisibility(), element("pad").checkVisibility()];
    chooseRadio("digits");
    return {
      ours, refusedStart, placed, spoken, running, steps, codes, stopped, inside, units, shown,
      most, back: [element("given").checkVisibility(), latest.pass.x.length],
    };
  },

  colours() {
    const light = textContrasts();
    for (const rule of document.styleSheets[0].cssRules) {
      if (/color-scheme/.test(rule.conditionText)) rule.media.mediaText = "all";
    }
    readColours();
    const scheme = getComputedStyle(document.documentElement).colorScheme;
    const names = [...document.querySelectorAll("button, input, canvas")].map((place) =>
      place.getAttribute("aria-label") ?? place.labels?.[0]?.textContent ?? place.textContent);
    return { light, dark: textContrasts(), scheme, names };
  },

  refused: () => refused,
};

const refused = [];
const reachOut = () => {
  addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
  fetch("http://127.0.0.1:9/").catch(() => {});
  new Image().src = "http://127.0.0.1:9/a.png";
};
