// Walks through machines of XState. On stdin: [{machine, walks: [[{type, guards: {name: holds}}]]}], on stdout for each
// walk the states after each event, and how often each state was entered. The keys of a state are joined by U+001F.
import fs from 'node:fs';
import {createRequire} from 'node:module';

const {createMachine, initialTransition, raise, transition} = createRequire(process.argv[2])('xstate');

const BETWEEN = '\u001f';

function leafOf(value) {
  if (typeof value === 'string') return value;
  const [[key, inner]] = Object.entries(value);
  return key + BETWEEN + leafOf(inner);
}

function counting(node, path) {
  const states = Object.entries(node.states ?? {}).map(([key, child]) => [
    key,
    counting(child, path === null ? key : path + BETWEEN + key),
  ]);
  const entry = path === null ? {} : {entry: [{type: 'count', params: {path}}]};
  return {...node, ...entry, ...(states.length ? {states: Object.fromEntries(states)} : {})};
}

function walked(machine, walk) {
  const visits = {};
  const count = (actions) => {
    for (const {type, params} of actions) if (type === 'count') visits[params.path] = (visits[params.path] ?? 0) + 1;
  };
  let [state, actions] = initialTransition(machine({}));
  count(actions);
  const trail = [leafOf(state.value)];
  for (const {type, guards} of walk) {
    if (state.status === 'active') {
      [state, actions] = transition(machine(guards), state, {type});
      count(actions);
    }
    trail.push(leafOf(state.value));
  }
  return {trail, visits};
}

function prepared(document) {
  let holds = {};
  const guards = new Proxy({}, {
    get: (_, name) => () => holds[name],
    has: () => true,
  });
  const machine = createMachine(counting(document, null), {
    guards,
    actions: {raise: raise((_, params) => ({type: params.type}))},
  });
  return (current) => {
    holds = current;
    return machine;
  };
}

const tasks = JSON.parse(fs.readFileSync(0, 'utf8'));
const found = tasks.map(({machine, walks}) => {
  const ready = prepared(machine);
  return walks.map((walk) => walked(ready, walk));
});
process.stdout.write(JSON.stringify(found));
