/* Apart from the gradient graph, since a thread that runs one needs only these. */

/** The output that holds the gradient with respect to a value. */
export const gradientOf = (name: string) => `gradient/${name}`;

/** The output that holds what a weight, a running statistic or a velocity is after a step. */
export const nextOf = (name: string) => `next/${name}`;
