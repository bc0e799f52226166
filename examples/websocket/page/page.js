// The page: what is typed is called, what is pushed is shown.
"use strict";

const show = (id, text) => { document.getElementById(id).textContent = text; };
const server = new DMicro(location.origin.replace(/^http/, "ws") + "/ws");

server.onPush("/said", (text) => {
  const item = document.createElement("li");
  item.textContent = text; // never as HTML: it is what somebody else has typed
  document.getElementById("said").prepend(item);
});

const say = async (text) => {
  try {
    show("state", "heard by " + await server.call("/say", text));
  } catch (err) {
    show("state", `refused: ${err.message} (${err.code})`);
  }
};

document.getElementById("form").addEventListener("submit", (event) => {
  event.preventDefault();
  say(document.getElementById("text").value);
});

server.opened.then(() => show("state", "connected"), (err) => show("state", err.message));
