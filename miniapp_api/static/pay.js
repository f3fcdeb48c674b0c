// Opens WeChat's pay sheet with the ticket on the page, then goes on to the page that asks whether
// the money has come: what the sheet says proves nothing.
(function () {
  "use strict";
  var pay = document.getElementById("pay");
  if (!pay) { return; }
  var ticket = pay.dataset;
  function goOn() { window.location.replace(ticket.next); }
  function open() {
    window.WeixinJSBridge.invoke("getBrandWCPayRequest", {
      appId: ticket.appid,
      timeStamp: ticket.timestamp,
      nonceStr: ticket.nonce,
      package: ticket.package,
      signType: ticket.signtype,
      paySign: ticket.paysign
    }, goOn);
  }
  function begin() {
    if (window.WeixinJSBridge) { open(); } else {
      document.addEventListener("WeixinJSBridgeReady", open, false);
    }
  }
  pay.addEventListener("click", begin);
  if (ticket.now) { begin(); }
})();
