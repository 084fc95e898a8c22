// Bars of the figures in a table of the page. Without this the table says it.
(function () {
  'use strict';
  function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }
  function draw(place) {
    var rows = Array.from(document.getElementById(place.dataset.chart).querySelectorAll('tbody tr'));
    var labels = rows.map(function (row) { return row.querySelector('th').textContent; });
    var values = rows.map(function (row) { return Number(row.querySelector('[data-value]').dataset.value); });
    var few = rows.length <= 8;
    place.textContent = '';
    var chart = new uPlot({
      width: place.clientWidth - 24, height: place.clientHeight - 16, cursor: { y: false }, legend: { show: false },
      scales: { x: { time: false, range: [-0.6, rows.length - 0.4] }, y: { range: function (u, min, max) { return [0, Math.max(1, max * 1.1)]; } } },
      axes: [
        { stroke: colour('--quiet'), grid: { show: false }, ticks: { show: false }, space: few ? 1 : 40, font: '12px Inter, sans-serif',
          splits: few ? function () { return labels.map(function (l, i) { return i; }); } : undefined,
          values: function (u, at) { return at.map(function (i) { return (labels[i] || '').split(' · ')[0]; }); } },
        { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '12px Inter, sans-serif' }
      ],
      series: [{}, { label: place.dataset.unit, fill: colour('--tblr-primary'), stroke: colour('--tblr-primary'), width: 0,
        paths: uPlot.paths.bars({ size: [0.7, 40], radius: 0.15 }), points: { show: false } }]
    }, [labels.map(function (l, i) { return i; }), values], place);
    chart.root.setAttribute('aria-hidden', 'true');
  }
  function all() { document.querySelectorAll('[data-chart]').forEach(draw); }
  var waits = 0;
  addEventListener('resize', function () { clearTimeout(waits); waits = setTimeout(all, 150); });
  all();
})();
