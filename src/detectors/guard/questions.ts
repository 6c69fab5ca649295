/** What a guard answers: whether the content is what was taught, whether the conditions are those of the training images. */
export const questions = ['content', 'conditions'] as const;
export type Question = (typeof questions)[number];
