// Set before anything is painted: the page says light, dark or nothing, and
// nothing is what the machine prefers.
(function () {
  var page = document.documentElement;
  if (page.dataset.theme === 'auto') {
    var dark = matchMedia('(prefers-color-scheme: dark)');
    var set = function () { page.setAttribute('data-bs-theme', dark.matches ? 'dark' : 'light'); };
    dark.addEventListener('change', set);
    set();
  }
})();
