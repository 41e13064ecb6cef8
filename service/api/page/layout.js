// Where the graph's things stand: near their place in the picture, apart enough to be read, related ones at arm's length. Pure arithmetic.

const ROOM_X = 118;
const ROOM_Y = 70;
const REACH = 175;
const ROUNDS = 90;
const HEIGHT = 300;
const ROOMY_COUNT = 8;

// The size of the drawing, in its own units, for so many things in a panel of this shape.
export function worldFor(count, aspect) {
  const grow = Math.sqrt(Math.max(1, count / ROOMY_COUNT));
  return { width: HEIGHT * aspect * grow, height: HEIGHT * grow };
}

// nodes: [{id, x, y, homeX, homeY}], edges: [[id, id]]. Moves the nodes in place; the same input gives the same output.
export function relax(nodes, edges, world) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const node of nodes) {
      node.x += (node.homeX - node.x) * 0.02;
      node.y += (node.homeY - node.y) * 0.02;
    }
    for (const [from, to] of edges) pull(byId.get(from), byId.get(to));
    for (let i = 0; i < nodes.length; i += 1) {
      for (let j = i + 1; j < nodes.length; j += 1) push(nodes[i], nodes[j]);
    }
    for (const node of nodes) {
      node.x = Math.max(0, Math.min(node.x, world.width));
      node.y = Math.max(0, Math.min(node.y, world.height));
    }
  }
}

function pull(a, b) {
  const dx = b.x - a.x;
  const dy = b.y - a.y;
  const distance = Math.hypot(dx, dy) || 1;
  const step = (distance - REACH) * 0.06 / distance;
  move(a, dx * step, dy * step);
  move(b, -dx * step, -dy * step);
}

// Two names overlap when both distances are too small; the way out is the shorter one. Equal places are told apart by id.
function push(a, b) {
  const dx = b.x - a.x || (b.id > a.id ? 1 : -1);
  const dy = b.y - a.y || (b.id > a.id ? 1 : -1);
  const lackX = ROOM_X - Math.abs(dx);
  const lackY = ROOM_Y - Math.abs(dy);
  if (lackX <= 0 || lackY <= 0) return;
  if (lackX / ROOM_X < lackY / ROOM_Y) spread(a, b, Math.sign(dx) * lackX / 3, 0);
  else spread(a, b, 0, Math.sign(dy) * lackY / 3);
}

function spread(a, b, dx, dy) {
  move(a, -dx, -dy);
  move(b, dx, dy);
}

function move(node, dx, dy) {
  node.x += dx;
  node.y += dy;
}
