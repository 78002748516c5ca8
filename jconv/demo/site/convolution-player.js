// Playing: one step after another until it is paused.

/** onStep() is called at every step, onChange(playing) when it starts or stops. */
export function player(onStep, onChange) {
  let timer = 0, perSecond = 1;
  const playing = () => timer !== 0;
  function set(on) {
    clearInterval(timer);
    timer = on ? setInterval(onStep, 1000 / perSecond) : 0;
    onChange(on);
  }
  return {
    playing,
    play: () => set(true),
    pause: () => playing() && set(false),
    toggle: () => set(!playing()),
    speed(value) {
      perSecond = value;
      if (playing()) set(true);
    },
  };
}
