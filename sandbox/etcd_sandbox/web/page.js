// The keys work without a click: what is typed goes to the dashboard as soon as it shows something.
new MutationObserver((_, watch) => {
  if (!document.body.classList.contains("-first-byte")) return;
  watch.disconnect();
  document.querySelector(".xterm-helper-textarea").focus();
}).observe(document.documentElement, { attributes: true, subtree: true, attributeFilter: ["class"] });
