// The diagram of a workflow can be enlarged and moved.
import { zoomable } from "./zoom.js";

const holder = document.querySelector(".diagram");
if (holder?.querySelector("svg")) zoomable(holder);
