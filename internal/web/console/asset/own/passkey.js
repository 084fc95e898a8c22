// Asks the device for a passkey, where a page offers it; without JavaScript, or
// on a browser that knows no passkeys, the offer is not shown.
(function () {
  'use strict';
  if (!window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) { return; }

  async function post(path, body) {
    var response = await fetch(path, {
      method: 'POST',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body)
    });
    var answer = await response.json();
    if (!response.ok) { throw new Error(answer.message); }
    return answer;
  }

  async function offer(box) {
    var path = box.dataset.passkey;
    var asked = await post(path + '/ask');
    var credential = box.dataset.create === undefined
      ? await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked.options) })
      : await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(asked.options) });
    var name = box.querySelector('input[name=name]');
    var query = new URLSearchParams({ next: box.dataset.next || '', name: name ? name.value : '' });
    var done = await post(path + '?' + query, { ticket: asked.ticket, credential: credential.toJSON() });
    location.assign(done.next);
  }

  document.querySelectorAll('[data-passkey]').forEach(function (box) {
    box.hidden = false;
    box.querySelector('button').addEventListener('click', function () {
      var error = box.querySelector('[data-passkey-error]');
      error.hidden = true;
      offer(box).catch(function () { error.hidden = false; });
    });
  });
})();
