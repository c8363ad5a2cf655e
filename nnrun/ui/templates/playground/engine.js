// Trains small networks of dense layers as nnrun does: its random numbers, data sets, splits, initial
// weights, batches, dropout, losses and optimizers. All numbers are float64; sums have another order.
(() => {
"use strict";

// NumPy's generators: SeedSequence and PCG64, with integers below 2^64 as BigInt.
const MASK = (1n << 128n) - 1n, WORD = (1n << 64n) - 1n, FACTOR = 0x2360ed051fc65da44385df649fccf645n;
const hasher = (start, factor) => {
  let constant = start;
  return (value) => {
    const one = value ^ constant;
    constant = Math.imul(constant, factor);
    const found = Math.imul(one, constant);
    return (found ^ (found >>> 16)) >>> 0;
  };
};
const words = (value) => {
  const found = [];
  for (let left = BigInt(value); left > 0n; left >>= 32n) found.push(Number(left & 0xffffffffn));
  return found.length ? found : [0];
};
// Four words of 64 bits, as of `SeedSequence(seed, spawn_key=key).generate_state(4, uint64)`.
const seeded = (seed, key) => {
  const own = words(seed), hash = hasher(0x43b0d7e5, 0x931e8875);
  while (key.length && own.length < 4) own.push(0);
  const entropy = [...own, ...key.flatMap(words)];
  const pool = [0, 1, 2, 3].map((at) => hash(entropy[at] || 0));
  const mix = (a, b) => {
    const found = Math.imul(0xca01f9dd, a) - Math.imul(0x4973f715, b);
    return (found ^ (found >>> 16)) >>> 0;
  };
  for (let from = 0; from < 4; from += 1) {
    for (let to = 0; to < 4; to += 1) if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
  }
  for (const word of entropy.slice(4)) for (let to = 0; to < 4; to += 1) pool[to] = mix(pool[to], hash(word));
  const out = hasher(0x8b51f9dd, 0x58f38ded);
  const found = Array.from({ length: 8 }, (_, at) => BigInt(out(pool[at % 4])));
  return [0, 2, 4, 6].map((at) => found[at] | (found[at + 1] << 32n));
};
// The normal distribution's ziggurat of 256 strips of equal area (Marsaglia and Tsang), as NumPy has it.
const TAIL = 3.6541528853610088, AREA = 0.00492867323397465524494, PARTS = 2 ** 52;
const ziggurat = () => {
  const width = new Float64Array(256), height = new Float64Array(256), inside = new Float64Array(256);
  let edge = TAIL;
  width[255] = edge / PARTS;
  height[255] = Math.exp(-0.5 * edge * edge);
  inside[0] = edge * height[255] / AREA * PARTS;
  width[0] = AREA / height[255] / PARTS;
  height[0] = 1;
  for (let at = 254; at > 0; at -= 1) {
    const next = Math.sqrt(-2 * Math.log(AREA / edge + height[at + 1]));
    inside[at + 1] = next / edge * PARTS;
    width[at] = next / PARTS;
    height[at] = Math.exp(-0.5 * next * next);
    edge = next;
  }
  return { width, height, inside };
};
const STRIPS = ziggurat();

class Generator {
  constructor(seed, ...key) {
    const [high, low, ahead, behind] = seeded(seed, key);
    this.step = ((((ahead << 64n) | behind) << 1n) | 1n) & MASK;
    this.state = ((this.step + ((high << 64n) | low)) * FACTOR + this.step) & MASK;
    this.half = null;
  }

  word() {
    this.state = (this.state * FACTOR + this.step) & MASK;
    const mixed = (this.state >> 64n) ^ (this.state & WORD), turn = this.state >> 122n;
    return ((mixed >> turn) | (mixed << (64n - turn))) & WORD;
  }

  // Half a word; the other half is next.
  short() {
    if (this.half !== null) {
      const kept = this.half;
      this.half = null;
      return kept;
    }
    const word = this.word();
    this.half = Number(word >> 32n);
    return Number(word & 0xffffffffn);
  }

  uniform() { return Number(this.word() >> 11n) / 2 ** 53; }

  normal() {
    for (;;) {
      const word = this.word(), strip = Number(word & 0xffn), size = Number((word >> 9n) & 0xfffffffffffffn);
      const sign = (word >> 8n) & 1n ? -1 : 1, x = size * STRIPS.width[strip];
      if (size < STRIPS.inside[strip]) return sign * x;
      if (strip === 0) {
        for (;;) {
          const a = -Math.log1p(-this.uniform()) / TAIL, b = -Math.log1p(-this.uniform());
          if (b + b > a * a) return (word >> 17n) & 1n ? -(TAIL + a) : TAIL + a;
        }
      }
      const { height } = STRIPS;
      if ((height[strip - 1] - height[strip]) * this.uniform() + height[strip] < Math.exp(-0.5 * x * x)) return sign * x;
    }
  }

  // A number from 0 to `most`, all alike: of as many bits, until one is in the range.
  below(most) {
    const mask = 2 ** (32 - Math.clz32(most)) - 1;
    for (;;) {
      const value = this.short() & mask;
      if (value <= most) return value;
    }
  }

  permutation(count) {
    const found = Array.from({ length: count }, (_, at) => at);
    for (let at = count - 1; at > 0; at -= 1) {
      const other = this.below(at);
      [found[at], found[other]] = [found[other], found[at]];
    }
    return found;
  }
}

// The drawn data sets: points (rows of one or two numbers) and classes, or values.
const rounded = (value) => {
  const scaled = value * 1e6, near = Math.round(scaled);
  return (Math.abs(scaled % 1) === 0.5 && near % 2 ? near - 1 : near) / 1e6 + 0;
};
const spread = (low, high, count, ends = true) => {
  const parts = ends ? Math.max(1, count - 1) : count, step = (high - low) / parts;
  return Array.from({ length: count }, (_, at) => (ends && at === parts ? high : low + at * step));
};
const noisy = (points, noise, random) => points.map((row) => row.map((value) => rounded(value + noise * random.normal())));
const shares = (rows, parts) => Array.from({ length: parts }, (_, at) => Math.floor(rows / parts) + (at < rows % parts));
const { PI, cos, sin } = Math;
const ring = (radius, count) => spread(0, 2 * PI, count, false).map((t) => [radius * cos(t), radius * sin(t)]);
const classed = (parts, noise, random) => ({
  x: noisy(parts.flat(), noise, random), y: parts.flatMap((part, at) => part.map(() => at)),
});
const squares = (count) => (rows, noise, random) => {
  const drawn = Array.from({ length: rows }, () => [random.uniform(), random.uniform()]);
  const y = drawn.map((row) => row.reduce((sum, value) => sum + Math.floor(value * count), 0) % 2);
  return { x: noisy(drawn.map((row) => row.map((value) => 2 * value - 1)), noise, random), y };
};
const halves = (rows) => [Math.floor(rows / 2), rows - Math.floor(rows / 2)];
const DATA = {
  circles: { noise: 0.1, classes: ["outer", "inner"], draw: (rows, noise, random) => {
    const [outer, inner] = halves(rows);
    return classed([ring(1, outer), ring(0.5, inner)], noise, random);
  } },
  moons: { noise: 0.1, classes: ["outer", "inner"], draw: (rows, noise, random) => {
    const [outer, inner] = halves(rows).map((count) => spread(0, PI, count));
    return classed([outer.map((t) => [cos(t), sin(t)]), inner.map((t) => [1 - cos(t), 0.5 - sin(t)])], noise, random);
  } },
  spirals: { noise: 0.02, classes: ["arm 1", "arm 2"], draw: (rows, noise, random) => classed(
    shares(rows, 2).map((count, arm) => Array.from({ length: count }, (_, at) => {
      const r = (at + 1) / count, angle = 2 * PI * (r + arm / 2);
      return [r * cos(angle), r * sin(angle)];
    })), noise, random) },
  xor: { noise: 0, classes: ["same", "different"], draw: squares(2) },
  checkerboard: { noise: 0, classes: ["dark", "light"], draw: squares(4) },
  blobs: { noise: 0.3, classes: ["blob 1", "blob 2", "blob 3"], draw: (rows, noise, random) => classed(
    shares(rows, 3).map((count, at) => Array.from({ length: count }, () => [cos(2 * PI * at / 3), sin(2 * PI * at / 3)])),
    noise, random) },
  sine: { noise: 0.1, classes: [], draw: (rows, noise, random) => {
    const x = spread(-PI, PI, rows);
    const y = noisy(x.map((value) => [sin(value)]), noise, random).map(([value]) => value);
    return { x: x.map((value) => [rounded(value)]), y };
  } },
};
// The numbers of the training and the test rows; a share takes ceil(rows · share).
const split = (rows, size, seed) => {
  const count = size < 1 ? Math.ceil(rows * size) : size;
  const order = Array.from({ length: rows }, (_, at) => at);
  const drawn = count ? new Generator(seed, 0).permutation(rows) : order;
  return { train: drawn.slice(count), test: drawn.slice(0, count) };
};

// Activations: f(x), and f'(x) of x and y = f(x).
const sigmoid = (x) => 1 / (1 + Math.exp(Math.min(-x, 709)));
const far = (x) => Math.exp(Math.min(x, 0)) / (1 + Math.exp(-Math.abs(x)));  // reaches 0 far left
const level = (x) => {
  const power = Math.exp(Math.min(x, 20)), n = power * (power + 2);
  return n / (n + 2);
};
// exp(z²) erfc(z) as a Chebyshev series in (z - 3.75) / (z + 3.75), as in nnrun/nn/special.py.
const SERIES = [
  0.3050715409616002, -0.4348412727125775, 0.1763511936436055, -0.06071079560924941, 0.017712068995694115,
  -0.004321119385567294, 0.0008542166768870987, -0.00012715509060916275, 1.1248167243671189e-05, 3.1306388542182096e-07,
  -2.70988068537762e-07, 3.073762270140769e-08, 2.515620384817623e-09, -1.0289299213203192e-09, 2.994405211994994e-11,
  2.6051789687266936e-11, -2.6348399241719693e-12, -6.434045098906365e-13, 1.1245740180166345e-13, 1.7281533389986097e-14,
  -4.264101694942375e-15, -5.453719778801906e-16, 1.5869760776167123e-16, 2.0899837844334044e-17, -5.900526869408806e-18,
];
const share = (x) => {
  const size = Math.abs(x), z = size / Math.SQRT2, u = (z - 3.75) / (z + 3.75), near = size < 64 ? Math.round(size * 16) / 16 : 64;
  let last = 0, before = 0;
  for (let at = SERIES.length - 1; at > 0; at -= 1) [last, before] = [2 * u * last - before + SERIES[at], last];
  const tail = 0.5 * Math.exp(-near * near / 2) * Math.exp(-(size - near) * (size + near) / 2) * (u * last - before + SERIES[0]);
  return x < 0 ? tail : 1 - tail;
};
const ACTIVATIONS = {
  linear: [(x) => x, () => 1],
  sigmoid: [sigmoid, (x, y) => y * (1 - y)],
  tanh: [Math.tanh, (x, y) => 1 - y * y],
  relu: [(x) => (x > 0 ? x : 0 * x), (x) => (x > 0 ? 1 : 0)],
  leaky_relu: [(x) => (x > 0 ? x : 0.01 * x), (x) => (x > 0 ? 1 : 0.01)],
  elu: [(x) => (x > 0 ? x : Math.expm1(x)), (x) => Math.exp(Math.min(x, 0))],
  softplus: [(x) => Math.log1p(Math.exp(-Math.abs(x))) + Math.max(x, 0), sigmoid],
  gelu: [(x) => x * share(x), (x) => share(x) + x * Math.exp(-0.5 * x * x) / Math.sqrt(2 * PI)],
  silu: [(x) => x * far(x), (x, y) => far(x) + y * (1 - far(x))],
  mish: [(x) => x * level(x), (x) => level(x) + x * far(x) * (1 - level(x) * level(x))],
  hard_tanh: [(x) => (x < -1 ? -1 : x > 1 ? 1 : x), (x) => (x <= -1 || x >= 1 ? 0 : 1)],
  square: [(x) => x * x, (x) => x + x],
};
// Losses of one row from what comes before the last activation, z; dL/dz into `dz`.
const softmax = (z, at, size, out) => {
  let most = -Infinity, sum = 0;
  for (let k = 0; k < size; k += 1) most = Math.max(most, z[at + k]);
  for (let k = 0; k < size; k += 1) sum += out[at + k] = Math.exp(z[at + k] - most);
  for (let k = 0; k < size; k += 1) out[at + k] /= sum;
  return most + Math.log(sum);
};
const LOSSES = {
  binary_cross_entropy: {
    last: "sigmoid",
    output: (z, at, size, out) => { out[at] = sigmoid(z[at]); },
    cost: (z, at, size, t) => Math.max(z[at], 0) - z[at] * t + Math.log1p(Math.exp(-Math.abs(z[at]))),
    slope: (y, at, size, t, dz) => { dz[at] = y[at] - t; },
  },
  cross_entropy: {
    last: "softmax",
    output: softmax,
    cost: (z, at, size, t, out) => softmax(z, at, size, out) - z[at + t],
    slope: (y, at, size, t, dz) => { for (let k = 0; k < size; k += 1) dz[at + k] = y[at + k] - (k === t); },
  },
  mean_squared: {
    last: "linear",
    output: (z, at, size, out) => { out[at] = z[at]; },
    cost: (z, at, size, t) => (z[at] - t) ** 2,
    slope: (y, at, size, t, dz) => { dz[at] = 2 * (y[at] - t); },
  },
};

// Steps of θ by its gradient g.
const OPTIMIZERS = {
  sgd: (theta, g, rate) => { for (let at = 0; at < g.length; at += 1) theta[at] -= rate * g[at]; },
  momentum: (theta, g, rate, memory) => {
    const { velocity } = memory;
    for (let at = 0; at < g.length; at += 1) {
      velocity[at] = 0.9 * velocity[at] + g[at];
      theta[at] -= rate * velocity[at];
    }
  },
  adam: (theta, g, rate, memory) => {
    const { mean, square } = memory, root = Math.sqrt(1 - 0.999 ** memory.steps), step = rate / (1 - 0.9 ** memory.steps);
    for (let at = 0; at < g.length; at += 1) {
      mean[at] = mean[at] * 0.9 + (1 - 0.9) * g[at];
      square[at] = square[at] * 0.999 + (1 - 0.999) * (g[at] * g[at]);
      theta[at] -= mean[at] / (Math.sqrt(square[at]) / root + 1e-8) * step;
    }
  },
};
const VECTORS = { sgd: [], momentum: ["velocity"], adam: ["mean", "square"] };

// A network in training. `plan`: inputs, layers [{units, activation}], outputs, loss, dropout, seed, rate,
// batch_size, optimizer, weight_decay; `x` has the rows' inputs, `y` classes or values.
class Training {
  constructor(plan, train) {
    this.plan = plan;
    this.iteration = 0;
    this.epoch = 0;
    const widths = [plan.inputs, ...plan.layers.map(({ units }) => units), plan.outputs];
    let place = 0;
    this.layers = widths.slice(1).map((units, at) => {
      const inputs = widths[at], weight = place, bias = weight + inputs * units;
      place = bias + units;
      return { inputs, units, weight, bias, end: place, functions: at < plan.layers.length ? ACTIVATIONS[plan.layers[at].activation] : null };
    });
    this.theta = new Float64Array(place);
    this.gradient = new Float64Array(place);
    this.memory = { steps: 0 };
    for (const name of VECTORS[plan.optimizer]) this.memory[name] = new Float64Array(place);
    const random = new Generator(plan.seed, 1);
    for (const { inputs, units, weight, bias } of this.layers) {
      const end = Math.sqrt(6 / (inputs + units));
      for (let at = weight; at < bias; at += 1) this.theta[at] = -end + (end - -end) * random.uniform();
    }
    this.order = new Generator(plan.seed, 2);
    this.drops = new Generator(plan.seed, 3);
    this.take(train);
  }

  // Continue with other rows, in a new epoch.
  take({ x, y }) {
    this.rows = { x: Float64Array.from(x.flat()), y };
    this.block = [];
    this.used = 0;
  }

  get batches() { return Math.ceil(this.rows.y.length / this.plan.batch_size); }

  // The numbers of every layer for so many rows: z, y and, in training, what dropout multiplies by.
  space(rows) {
    if (this.room && this.room.rows === rows) return this.room.parts;
    const parts = this.layers.map(({ units, inputs }) => ({
      z: new Float64Array(rows * units), y: new Float64Array(rows * units), dz: new Float64Array(rows * units),
      kept: new Float64Array(rows * units), x: new Float64Array(rows * inputs), dx: new Float64Array(rows * inputs),
    }));
    this.room = { rows, parts };
    return parts;
  }

  forward(x, rows, parts, drops = null) {
    const { theta, plan } = this, last = this.layers.length - 1, loss = LOSSES[plan.loss];
    let input = x;
    this.layers.forEach(({ inputs, units, weight, bias, functions }, at) => {
      const { z, y, kept } = parts[at];
      for (let row = 0; row < rows; row += 1) {
        for (let k = 0; k < units; k += 1) {
          let sum = 0;
          for (let j = 0, w = weight + k; j < inputs; j += 1, w += units) sum += input[row * inputs + j] * theta[w];
          z[row * units + k] = sum + theta[bias + k];
        }
      }
      if (at === last) for (let row = 0; row < rows; row += 1) loss.output(z, row * units, units, y);
      else {
        const [f] = functions;
        for (let k = 0; k < rows * units; k += 1) y[k] = f(z[k]);
        if (drops) {
          for (let k = 0; k < rows * units; k += 1) {
            kept[k] = drops.uniform() >= plan.dropout ? 1 / (1 - plan.dropout) : 0;
            parts[at + 1].x[k] = y[k] * kept[k];
          }
        }
      }
      input = drops && at < last ? parts[at + 1].x : y;
    });
  }

  backward(x, targets, parts, drops) {
    const { theta, gradient, plan } = this, rows = targets.length, loss = LOSSES[plan.loss];
    for (let at = this.layers.length - 1; at >= 0; at -= 1) {
      const { inputs, units, weight, bias, functions } = this.layers[at], { z, y, dz, kept } = parts[at];
      if (!functions) {
        for (let row = 0; row < rows; row += 1) loss.slope(y, row * units, units, targets[row], dz);
        for (let k = 0; k < rows * units; k += 1) dz[k] /= rows;
      } else {
        const [, slope] = functions, { dx } = parts[at + 1];
        for (let k = 0; k < rows * units; k += 1) dz[k] = (drops ? dx[k] * kept[k] : dx[k]) * slope(z[k], y[k]);
      }
      const input = at === 0 ? x : drops ? parts[at].x : parts[at - 1].y, { dx } = parts[at];
      for (let k = 0; k < units; k += 1) {
        let total = 0;
        for (let row = 0; row < rows; row += 1) total += dz[row * units + k];
        gradient[bias + k] = total;
        for (let j = 0; j < inputs; j += 1) {
          let sum = 0;
          for (let row = 0; row < rows; row += 1) sum += input[row * inputs + j] * dz[row * units + k];
          gradient[weight + j * units + k] = sum + plan.weight_decay * theta[weight + j * units + k];
        }
      }
      if (at === 0) return;
      for (let row = 0; row < rows; row += 1) {
        for (let j = 0; j < inputs; j += 1) {
          let sum = 0;
          for (let k = 0; k < units; k += 1) sum += dz[row * units + k] * theta[weight + j * units + k];
          dx[row * inputs + j] = sum;
        }
      }
    }
  }

  update() {
    const { plan, rows } = this, { inputs } = plan;
    if (this.used >= this.block.length) {
      this.block = this.order.permutation(rows.y.length);
      this.used = 0;
    }
    const batch = this.block.slice(this.used, this.used += plan.batch_size), parts = this.space(batch.length);
    const targets = batch.map((row) => rows.y[row]), { x } = parts[0], drops = plan.dropout > 0 ? this.drops : null;
    batch.forEach((row, at) => { for (let j = 0; j < inputs; j += 1) x[at * inputs + j] = rows.x[row * inputs + j]; });
    this.forward(x, batch.length, parts, drops);
    this.backward(x, targets, parts, drops);
    this.memory.steps += 1;
    OPTIMIZERS[plan.optimizer](this.theta, this.gradient, plan.rate, this.memory);
    this.iteration += 1;
    this.epoch += 1 / this.batches;
  }

  // The loss of some rows, and the share of them whose class is right.
  evaluate({ x, y }) {
    const rows = y.length, flat = Float64Array.from(x.flat()), parts = this.evaluated(flat, rows);
    const { units } = this.layers[this.layers.length - 1], { z, y: out } = parts[parts.length - 1], loss = LOSSES[this.plan.loss];
    let sum = 0, right = 0;
    for (let row = 0; row < rows; row += 1) {
      sum += loss.cost(z, row * units, units, y[row], out);
      const found = out.subarray(row * units, (row + 1) * units);
      right += units === 1 ? Number(found[0] > 0.5) === y[row] : found.indexOf(Math.max(...found)) === y[row];
    }
    return { loss: sum / rows, accuracy: right / rows };
  }

  // The numbers of all layers for these inputs, without dropout; they are valid up to the next call.
  evaluated(x, rows) {
    const { room } = this;
    this.room = this.tested && this.tested[rows];
    const parts = this.space(rows);
    this.tested = { ...this.tested, [rows]: this.room };
    this.room = room;
    this.forward(x, rows, parts);
    return parts;
  }
}

globalThis.nnrunEngine = { Generator, DATA, ACTIVATIONS, LOSSES, OPTIMIZERS, VECTORS, Training, split };
})();
