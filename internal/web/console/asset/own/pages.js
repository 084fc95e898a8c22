// What the console adds for whoever has a keyboard and JavaScript. Every page
// can be read and used without it.
(function () {
  'use strict';
  var places = { h: '/', s: '/sites', i: '/interventions', r: '/releases', c: '/calendar' };
  var going = 0; // until when a letter after G leads somewhere

  function writing(target) {
    return target.closest('input, textarea, select, [contenteditable]') !== null;
  }
  function search() {
    var field = document.querySelector('[data-find]') || document.getElementById('find');
    if (field) { field.focus(); field.select(); }
  }
  function shortcuts() {
    var dialog = document.getElementById('shortcuts');
    if (dialog && !dialog.open) { dialog.showModal(); }
  }
  // The next or previous row of the list on the page, by its link.
  function row(step) {
    var links = Array.from(document.querySelectorAll('[data-rows] [data-row]'));
    var at = links.indexOf(document.activeElement) + step;
    if (links.length) { links[Math.max(0, Math.min(at, links.length - 1))].focus(); }
  }

  document.addEventListener('keydown', function (event) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault(); search(); return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target)) { return; }
    var key = event.key.toLowerCase();
    if (going > Date.now() && places[key]) { location.assign(places[key]); return; }
    going = key === 'g' ? Date.now() + 1500 : 0;
    if (key === '/') { event.preventDefault(); search(); }
    if (key === '?') { event.preventDefault(); shortcuts(); }
    if (key === 'j') { row(1); }
    if (key === 'k') { row(-1); }
  });
  document.addEventListener('click', function (event) {
    if (event.target.closest('[data-shortcuts]')) { event.preventDefault(); shortcuts(); }
  });

  // Seconds since an instant, where a page counts them.
  setInterval(function () {
    document.querySelectorAll('[data-since]').forEach(function (counter) {
      var seconds = Math.max(0, Math.floor((Date.now() - Date.parse(counter.dataset.since)) / 1000));
      counter.textContent = Math.floor(seconds / 60) + ':' + String(seconds % 60).padStart(2, '0');
    });
  }, 500);
})();
