// Draws the charts of a report. Everything that a scenario's author wrote comes as data and
// goes to the page as text, never as markup.
(function () {
  "use strict";
  var root = document.documentElement;
  window.addEventListener("error", function (e) { root.dataset.error = e.message; });
  var charts = JSON.parse(document.getElementById("charts").textContent) || [];
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var drawn = [];

  function colour(c) { // a colour, or the name of one in the style sheet
    return c.slice(0, 2) === "--" ? getComputedStyle(root).getPropertyValue(c).trim() : c;
  }
  function faint(c) { return c.length === 7 ? c + "66" : c; }

  var prefixes = ["", "k", "M", "G", "T", "P", "E"];
  function trim(s) { return s.indexOf(".") < 0 || s.indexOf("e") >= 0 ? s : s.replace(/0+$/, "").replace(/\.$/, ""); }
  function number(v, digits) {
    if (v === null || v === undefined) return "–";
    var a = Math.abs(v);
    if (a === 0) return "0";
    if (a < 1e-3) return v.toExponential(digits - 1).replace(/\.?0+e/, "e");
    var i = 0;
    while (a >= 1000 && i < prefixes.length - 1) { a /= 1000; v /= 1000; i++; }
    return trim(v.toPrecision(Math.max(digits, a >= 100 ? 3 : 1))) + (i ? " " + prefixes[i] : "");
  }
  function share(v, digits) { return v === null || v === undefined ? "–" : trim((100 * v).toFixed(digits)) + " %"; }
  function formatter(kind, digits) {
    if (kind === "share") return function (v) { return share(v, 1); };
    if (kind === "count") return function (v) { return v === null || v === undefined ? "–" : String(Math.round(v)).replace(/\B(?=(\d{3})+$)/g, ","); };
    return function (v) { return number(v, digits); };
  }

  // Lines of a logarithmic axis: powers of ten, and what is between them where there are few.
  function logSplits(lo, hi) {
    var all = [], steps = Math.log10(hi / lo) < 6 ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : [1];
    for (var k = Math.floor(Math.log10(lo)); k <= Math.ceil(Math.log10(hi)); k++) {
      steps.forEach(function (m) {
        var v = Number(m + "e" + k);
        if (v >= lo && v <= hi) all.push(v);
      });
    }
    return all;
  }

  // Labels of a logarithmic axis: powers of ten, and 2 and 5 between them where there are few.
  function logLabels(u, splits, axis) {
    var scale = u.scales[axis === 0 ? "x" : "y"], span = Math.log10(scale.max / scale.min), few = span < 3, all = span < 0.7;
    return splits.map(function (v) {
      var lead = Math.round(v / Math.pow(10, Math.floor(Math.log10(v) + 1e-9)));
      return lead === 1 || all || (few && (lead === 2 || lead === 5)) ? number(v, 3) : null;
    });
  }

  // As wide as the labels of a y axis ask for.
  function roomFor(u, values) {
    var most = (values || []).reduce(function (n, v) { return Math.max(n, v === null ? 0 : String(v).length); }, 0);
    return Math.max(48, 7 * most + 22);
  }

  // Steps between the labels of a count: whole ones.
  var whole = [];
  for (var ten = 1; ten <= 1e12; ten *= 10) whole.push(ten, 2 * ten, 5 * ten);

  function axis(c, side, label, kind, log) {
    var a = {
      label: label, stroke: colour("--soft"), font: "12px Liberation Sans, Arial, sans-serif", labelFont: "12px Liberation Sans, Arial, sans-serif",
      grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 }, size: side === 0 ? 34 : roomFor, labelSize: 20, space: side === 0 ? 64 : 34
    };
    if (log) {
      a.splits = function (u, i, lo, hi) { return logSplits(lo, hi); };
      a.values = function (u, splits) { return logLabels(u, splits, side); };
      a.filter = function (u, splits) { return splits; };
    } else {
      var f = kind === "share" ? function (v) { return share(v, 1); } : function (v) { return number(v, 4); };
      a.values = function (u, splits) { return splits.map(f); };
      if (kind === "count") a.incrs = whole;
    }
    return a;
  }

  function series(s, kind) {
    var c = colour(s.colour), f = formatter(kind, 4);
    var out = { label: s.label, stroke: s.faint ? faint(c) : c, width: 2, spanGaps: true, points: { show: false }, value: function (u, v) { return v === null ? "" : f(v); } };
    switch (s.kind) {
      case "points": out.paths = function () { return null; }; out.points = { show: true, size: s.size || 4, fill: out.stroke, stroke: out.stroke, width: 0 }; break;
      case "ring": out.paths = function () { return null; }; out.points = { show: true, size: 14, fill: "transparent", stroke: c, width: 2.5 }; break;
      case "both": out.points = { show: true, size: 6, fill: c, stroke: c, width: 0 }; break;
      case "steps": out.paths = uPlot.paths.stepped({ align: 1 }); break;
      case "dashes": out.dash = [6, 4]; out.width = 1.5; break;
    }
    if (s.dash) out.dash = s.dash;
    return out;
  }

  function range(lo, hi, log, from0) {
    if (log) return [lo / 1.15, hi * 1.15];
    if (from0) return [0, hi > 0 ? hi * 1.05 : 1];
    var pad = (hi - lo) * 0.06 || Math.abs(hi) * 0.06 || 1;
    return [lo - pad, hi + pad];
  }

  function options(c, host) {
    var xf = formatter(c.xKind, 4);
    return {
      width: host.clientWidth, height: c.height || 300, padding: [12, 14, 0, 0],
      cursor: { focus: { prox: 24 }, drag: { x: true, y: false } },
      legend: { live: true },
      scales: {
        x: { time: false, distr: c.logX ? 3 : 1, range: function (u, lo, hi) {
          var all = lo === c.x[0] && hi === c.x[c.x.length - 1]; // not zoomed
          return all && (c.padX || c.logX) ? range(lo, hi, c.logX) : [lo, hi];
        } },
        y: { distr: c.logY ? 3 : 1, range: function (u, lo, hi) { return c.yKind === "share" ? [0, 1] : (lo === null ? [0, 1] : range(lo, hi, c.logY, c.from0)); } }
      },
      axes: [axis(c, 0, c.xLabel, c.xKind, c.logX), axis(c, 1, c.yLabel, c.yKind, c.logY)],
      series: [{ label: c.xLabel, value: function (u, v) { return v === null ? "" : xf(v); } }].concat(c.series.map(function (s) { return series(s, c.yKind); }))
    };
  }

  function draw(one) {
    if (one.plot) one.plot.destroy();
    one.plot = new uPlot(options(one.chart, one.host), [one.chart.x].concat(one.chart.series.map(function (s) { return s.y; })), one.host);
  }

  function zoom(one, factor) {
    var u = one.plot, s = u.scales.x, log = one.chart.logX, xs = one.chart.x;
    if (!factor) { u.setData(u.data, true); return; }
    var lo = log ? Math.log(s.min) : s.min, hi = log ? Math.log(s.max) : s.max;
    var at = u.cursor.idx === null || u.cursor.idx === undefined ? (lo + hi) / 2 : (log ? Math.log(xs[u.cursor.idx]) : xs[u.cursor.idx]);
    at = Math.min(Math.max(at, lo), hi);
    lo = at - (at - lo) * factor; hi = at + (hi - at) * factor;
    u.setScale("x", { min: log ? Math.exp(lo) : lo, max: log ? Math.exp(hi) : hi });
  }

  function move(one, to) {
    var u = one.plot, n = one.chart.x.length;
    var at = u.cursor.idx === null || u.cursor.idx === undefined ? 0 : u.cursor.idx;
    if (to === "first") at = 0; else if (to === "last") at = n - 1; else at = Math.min(n - 1, Math.max(0, at + to));
    u.setCursor({ left: u.valToPos(one.chart.x[at], "x"), top: u.bbox.height / 2 / (window.devicePixelRatio || 1) });
    var xf = formatter(one.chart.xKind, 4), yf = formatter(one.chart.yKind, 4);
    one.status.textContent = one.chart.xLabel + " " + xf(one.chart.x[at]) + ": " + one.chart.series.map(function (s) {
      return s.y[at] === null ? "" : s.label + " " + yf(s.y[at]);
    }).filter(Boolean).join("; ");
  }

  function keys(one) {
    return function (e) {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      switch (e.key) {
        case "ArrowLeft": move(one, -1); break;
        case "ArrowRight": move(one, 1); break;
        case "PageUp": move(one, -10); break;
        case "PageDown": move(one, 10); break;
        case "Home": move(one, "first"); break;
        case "End": move(one, "last"); break;
        case "+": case "=": zoom(one, 0.5); break;
        case "-": zoom(one, 2); break;
        case "0": case "Escape": zoom(one, 0); break;
        default: return;
      }
      e.preventDefault();
    };
  }

  charts.forEach(function (c) {
    var frame = document.getElementById("chart-" + c.id);
    var one = { chart: c, host: frame.querySelector(".plot"), status: frame.querySelector("[role=status]"), plot: null };
    draw(one);
    one.host.addEventListener("keydown", keys(one));
    frame.querySelectorAll("button").forEach(function (b) {
      b.addEventListener("click", function () { zoom(one, Number(b.dataset.zoom)); });
    });
    drawn.push(one);
  });
  // The timeline of one step: rows of spans, of which a part is in view.
  function timeline(data) {
    var frame = document.getElementById("timeline-figure"), host = frame.querySelector(".plot"), says = frame.querySelector(".says");
    var from = 0, to = data.length, ns = "http://www.w3.org/2000/svg";
    function make(parent, name, attributes, text) {
      var e = document.createElementNS(ns, name);
      Object.keys(attributes).forEach(function (k) { e.setAttribute(k, attributes[k]); });
      if (text !== undefined) e.textContent = text;
      return parent.appendChild(e);
    }
    var scale = data.length < 1e3 ? [1, "ns"] : data.length < 1e6 ? [1e3, "µs"] : data.length < 1e9 ? [1e6, "ms"] : [1e9, "s"];
    function time(t, digits) { return trim((t / scale[0]).toFixed(digits)) + " " + scale[1]; }
    function short(s, n) { return s.length <= n ? s : s.slice(0, n - 1) + "…"; }
    function tell(s) {
      says.textContent = s ? data.rows[s[0]].name + ": " + data.kinds[s[3]].name + (s[4] >= 0 ? ", micro-batch " + s[4] : "") + (s[5] >= 0 && s[5] !== data.round ? " of round " + s[5] : "") +
        ", from " + time(s[1], 3) + " for " + time(s[2] - s[1], 3) : "In view: " + time(from, 3) + " to " + time(to, 3);
    }
    function paint() {
      host.textContent = "";
      var width = Math.max(host.clientWidth, 200), gutter = width < 600 ? 92 : 190, plot = width - gutter - 10, y = 4;
      var tops = data.rows.map(function (r) { var at = y; y += r.stage ? 26 : 14; return at; });
      var svg = make(host, "svg", { width: width, height: y + 24 });
      function x(t) { return gutter + (Math.min(Math.max(t, from), to) - from) / (to - from) * plot; }
      var step = Math.pow(10, Math.floor(Math.log10((to - from) / 5)));
      while ((to - from) / step > plot / 70) step *= (String(step)[0] === "2" ? 2.5 : 2);
      var digits = Math.max(0, Math.ceil(-Math.log10(step / scale[0]) - 1e-9) + (String(step)[0] === "2" && step / scale[0] < 1 ? 1 : 0));
      for (var t = Math.ceil(from / step) * step; t <= to; t += step) {
        make(svg, "line", { x1: x(t), x2: x(t), y1: 0, y2: y });
        make(svg, "text", { "class": "tick", x: Math.min(x(t), width - 26), y: y + 16 }, time(t, digits));
      }
      data.rows.forEach(function (r, i) {
        var name = make(svg, "text", { x: 2, y: tops[i] + (r.stage ? 17 : 10) }, short(r.name, Math.floor((gutter - 6) / 6.6)));
        make(name, "title", {}, r.name);
        if (r.stage) make(svg, "rect", { "class": "track", x: gutter, y: tops[i] + 2, width: plot, height: 22 });
      });
      var shown = 0;
      data.spans.forEach(function (s, i) {
        if (s[2] <= from || s[1] >= to) return;
        shown++;
        var stage = data.rows[s[0]].stage, left = x(s[1]);
        var e = make(svg, "rect", { x: left, y: tops[s[0]] + 2, width: Math.max(x(s[2]) - left - 0.4, 0.6), height: stage ? 22 : 10, "data-span": i });
        e.style.fill = "var(" + data.kinds[s[3]].colour + ")";
        if (s[5] >= 0 && s[5] !== data.round) e.setAttribute("class", "pale");
      });
      root.dataset.spans = shown;
    }
    function view(lo, hi) {
      var length = Math.min(Math.max(hi - lo, data.length / 1e5), data.length);
      from = Math.min(Math.max(lo, 0), data.length - length);
      to = from + length;
      paint();
      tell(null);
    }
    function by(factor, at) {
      if (!factor) return view(0, data.length);
      view(at - (at - from) * factor, at + (to - at) * factor);
    }
    function pan(part) { var d = (to - from) * part; view(from + d, to + d); }
    host.addEventListener("pointermove", function (e) {
      var span = e.target.getAttribute && e.target.getAttribute("data-span"), old = host.querySelector(".chosen");
      if (old) old.classList.remove("chosen");
      if (span !== null) { e.target.classList.add("chosen"); tell(data.spans[span]); }
    });
    host.addEventListener("wheel", function (e) {
      if (!e.ctrlKey && !e.metaKey) return; // else the page scrolls
      e.preventDefault();
      by(e.deltaY > 0 ? 1.25 : 0.8, from + (to - from) * 0.5);
    }, { passive: false });
    host.addEventListener("keydown", function (e) {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      switch (e.key) {
        case "ArrowLeft": pan(-0.2); break;
        case "ArrowRight": pan(0.2); break;
        case "Home": pan(-1e9); break;
        case "End": pan(1e9); break;
        case "+": case "=": by(0.5, (from + to) / 2); break;
        case "-": by(2, (from + to) / 2); break;
        case "0": case "Escape": by(0); break;
        default: return;
      }
      e.preventDefault();
    });
    frame.querySelectorAll("button").forEach(function (b) {
      b.addEventListener("click", function () {
        if (b.dataset.pan) pan(Number(b.dataset.pan)); else by(Number(b.dataset.zoom), (from + to) / 2);
      });
    });
    paint();
    return paint;
  }
  var spans = JSON.parse(document.getElementById("spans").textContent);
  var repaint = spans && timeline(spans), painted = window.innerWidth;

  function fit() {
    if (repaint && window.innerWidth !== painted) { painted = window.innerWidth; repaint(); }
    drawn.forEach(function (one) {
      var w = one.host.clientWidth;
      if (w && w !== one.plot.width) one.plot.setSize({ width: w, height: one.chart.height || 300 });
    });
  }
  window.addEventListener("resize", fit);
  window.addEventListener("beforeprint", fit);
  dark.addEventListener("change", function () { drawn.forEach(draw); });
  root.dataset.charts = drawn.length;
})();
