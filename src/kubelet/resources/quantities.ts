/** Quantities as the plain numbers that cgroups and comparisons want. Exact up to 2^53. */
import { parseQuantity } from '#machinery';

/** Rounded up to an integer: bytes of memory, number of pods. */
export const valueOf = (quantity: string): number => parseQuantity(quantity).value();
/** Thousandths, rounded up: millicores. */
export const milliOf = (quantity: string): number => parseQuantity(quantity).milliValue();
