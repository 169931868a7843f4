"use strict";
// What every page shares: its facts, and text that is never markup.
const facts = JSON.parse(document.getElementById("facts").textContent);
const byId = id => document.getElementById(id);

// Marks that change the direction of a text, and other invisible ones, are shown by their numbers.
const visible = text => String(text).replace(
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
  mark => `\u27e8U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);

const element = (tag, text, className) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = visible(text);
  if (className) made.className = className;
  return made;
};

const button = (text, press, className) => {
  const made = element("button", text, className);
  made.type = "button";
  made.addEventListener("click", press);
  return made;
};
