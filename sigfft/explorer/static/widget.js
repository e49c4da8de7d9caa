// The explorer in a notebook: requests and events are messages of the widget's model.
function render({ model, el }) {
  const open = new Map();
  let last = 0;
  const prefix = Math.random().toString(36).slice(2); // one model may be shown in several cells
  const listen = (event) => {
    const onEvent = open.get(event.id);
    if (event.kind === "end") open.delete(event.id);
    if (onEvent) onEvent(event);
  };
  model.on("msg:custom", listen);
  mount(el, (request, onEvent) => {
    const id = `${prefix}${(last += 1)}`;
    open.set(id, onEvent);
    model.send({ ...request, id });
    return () => open.delete(id) && model.send({ do: "stop", id });
  });
  return () => model.off("msg:custom", listen);
}

export default { render };
