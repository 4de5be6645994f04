/** From the window's coordinates, buttons and wheel to the guest's. Pure. */

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The guest pixel under a point of the window, kept inside the picture. */
export function toGuest(
  clientX: number,
  clientY: number,
  box: Box,
  guest: { width: number; height: number },
): { x: number; y: number } {
  const along = (at: number, start: number, length: number, pixels: number): number => {
    if (length <= 0 || pixels <= 0) return 0;
    return Math.max(0, Math.min(pixels - 1, Math.floor(((at - start) / length) * pixels)));
  };
  return {
    x: along(clientX, box.left, box.width, guest.width),
    y: along(clientY, box.top, box.height, guest.height),
  };
}

const LEFT = 1;
const MIDDLE = 2;
const RIGHT = 4;
export const WHEEL_UP = 8;
export const WHEEL_DOWN = 16;
export const WHEEL_LEFT = 32;
export const WHEEL_RIGHT = 64;

/** `MouseEvent.buttons` as RFB's mask. */
export function toRfbButtons(buttons: number): number {
  return (buttons & 1 ? LEFT : 0) | (buttons & 4 ? MIDDLE : 0) | (buttons & 2 ? RIGHT : 0);
}

/** Pixels of scrolling that make one click of the wheel; lines and pages are turned into pixels first. */
const CLICK = 50;
const LINE = 19;
const PAGE = 400;
/** A flick of a trackpad sends many pixels at once; more clicks than this a step only flood the guest. */
const MAX_CLICKS = 8;

export interface WheelLike {
  deltaX: number;
  deltaY: number;
  deltaMode: number;
}

/** Collects scrolling until it makes whole clicks. */
export class Wheel {
  private x = 0;
  private y = 0;

  /** The buttons to press and let go for this step, in order. */
  add({ deltaX, deltaY, deltaMode }: WheelLike): number[] {
    const unit = deltaMode === 1 ? LINE : deltaMode === 2 ? PAGE : 1;
    this.x = Wheel.accumulate(this.x, deltaX * unit);
    this.y = Wheel.accumulate(this.y, deltaY * unit);
    const clicks: number[] = [];
    this.y = Wheel.take(this.y, WHEEL_UP, WHEEL_DOWN, deltaMode, clicks);
    this.x = Wheel.take(this.x, WHEEL_LEFT, WHEEL_RIGHT, deltaMode, clicks);
    return clicks;
  }

  /** Turning round starts afresh: what was left over in the old direction is no scrolling the user meant. */
  private static accumulate(sum: number, delta: number): number {
    return sum * delta < 0 ? delta : sum + delta;
  }

  private static take(sum: number, negative: number, positive: number, mode: number, into: number[]): number {
    const whole = Math.trunc(sum / CLICK);
    // A notch of a real wheel arrives as one event of 53 to 120 pixels, or 3 lines: it is one click.
    const clicks = Math.min(Math.abs(whole), mode === 0 && Math.abs(sum) <= 120 ? 1 : MAX_CLICKS);
    for (let n = 0; n < clicks; n += 1) into.push(sum < 0 ? negative : positive);
    return whole === 0 ? sum : 0;
  }
}
