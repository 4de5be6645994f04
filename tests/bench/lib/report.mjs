// What was measured, line by line: each beside its baseline and its limit.

export class Report {
  #measured = 0;
  #over = 0;

  /**
   * One figure. `beside` is the baseline of the same run, `limit` the goal in words, `ok` whether it is met
   * (left out: there is no goal).
   */
  row(what, value, { beside = "", limit = "", ok } = {}) {
    this.#measured++;
    if (ok === false) this.#over++;
    const mark = ok === undefined ? "     " : ok ? "ok   " : "OVER ";
    console.log(`${mark}${what}: ${value}${beside && ` (${beside})`}${limit && `, limit ${limit}`}`);
  }

  /** What a section could not measure. */
  skipped(section, why) {
    console.log(`--   ${section}: skipped: ${why}`);
  }

  /** Says how many figures are over their limit; how many those are. */
  close() {
    console.log(`\n${this.#measured} measured, ${this.#over} over their limit`);
    return this.#over;
  }
}
