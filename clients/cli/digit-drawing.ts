/** Two rows of pixels in one line of text: upper half, lower half, both or none. */
const blocks = [' ', '▀', '▄', '█'];

/** Draws a grey image as block characters. @param pixels [height, width] of 0 to 255 */
export function drawImage(pixels: Uint8Array, width: number, height: number): string[] {
  const lines: string[] = [];
  const isInk = (row: number, column: number) => row < height && pixels[row * width + column]! > 96;
  for (let row = 0; row < height; row += 2) {
    let line = '';
    for (let column = 0; column < width; column++) {
      line += blocks[Number(isInk(row, column)) + 2 * Number(isInk(row + 1, column))];
    }
    lines.push(line);
  }
  return lines;
}

/** Stands drawings of equal height side by side. */
export function sideBySide(drawings: string[][], gap = '  '): string[] {
  return drawings[0]!.map((_, i) => drawings.map((drawing) => drawing[i]).join(gap));
}
