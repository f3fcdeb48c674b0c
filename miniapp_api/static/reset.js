// Sends a new password with the token that stands behind the # of the mailed link, so that no
// server, proxy or log on the way ever sees it.
(function () {
  "use strict";
  var form = document.getElementById("reset");
  var said = document.getElementById("said");
  var done = document.getElementById("done");
  var found = /(?:^#|&)token=([A-Za-z0-9_-]+)/.exec(window.location.hash);
  var token = found ? found[1] : "";
  window.history.replaceState(null, "", window.location.pathname);
  function say(words) {
    said.textContent = words;
    said.hidden = !words;
  }
  if (!token) {
    form.hidden = true;
    say("链接不完整，请从邮件里重新打开，或重新申请。");
    return;
  }
  form.addEventListener("submit", function (event) {
    event.preventDefault();
    var button = form.querySelector("button");
    if (form.password.value !== form.again.value) {
      say("两次输入的密码不一样。");
      form.again.focus();
      return;
    }
    button.disabled = true;
    say("");
    window.fetch("/api/v1/staff/password-resets/by-link", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: token, new_password: form.password.value })
    }).then(function (answer) {
      if (answer.status === 204) {
        form.hidden = true;
        done.hidden = false;
        return;
      }
      return answer.json().then(function (told) {
        var fields = told.error.fields || {};
        var reasons = Object.keys(fields).reduce(function (all, name) {
          return all.concat(fields[name]);
        }, []);
        say([told.error.message].concat(reasons).join("；"));
        button.disabled = false;
      });
    }).catch(function () {
      say("网络不通，请稍后再试。");
      button.disabled = false;
    });
  });
})();
