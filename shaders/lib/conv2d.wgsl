// The sizes of a convolution.
override BATCH: u32;
override HEIGHT: u32;           // of x
override WIDTH: u32;
override IN_CHANNELS: u32;
override OUT_HEIGHT: u32;       // of y
override OUT_WIDTH: u32;
override OUT_CHANNELS: u32;
override KERNEL_H: u32;
override KERNEL_W: u32;
override STRIDE_H: u32;
override STRIDE_W: u32;
override PADDING_H: u32;
override PADDING_W: u32;
override GROUPS: u32;           // parts of the channels that are convolved on their own
override CHUNKS: u32;           // of a sum that is written in parts, to be added up
override ACCUMULATE: bool;

override GROUP_IN = IN_CHANNELS / GROUPS;
override GROUP_OUT = OUT_CHANNELS / GROUPS;
override TAP_ROWS = KERNEL_H * KERNEL_W * GROUP_IN;     // of the weight; the row after them stands for the bias
