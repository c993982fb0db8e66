// What this browser remembers of a person: language, colours, name. Where storage is forbidden, for this visit only.
const here = new Map();

function storeOf(lasting) {
  try {
    return lasting ? localStorage : sessionStorage;
  } catch {
    return null; // a browser that forbids storage: the map keeps it for this visit
  }
}

export function kept(name, { lasting = true } = {}) {
  return here.get(name) ?? storeOf(lasting)?.getItem(`millwatch:${name}`) ?? null;
}

export function keep(name, value, { lasting = true } = {}) {
  here.set(name, value);
  try {
    storeOf(lasting)?.setItem(`millwatch:${name}`, value);
  } catch {
    return; // storage is full: as above
  }
}

export function forget(name, { lasting = true } = {}) {
  here.delete(name);
  storeOf(lasting)?.removeItem(`millwatch:${name}`);
}
