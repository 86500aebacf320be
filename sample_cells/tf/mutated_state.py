import tensorflow as tf


class WritingCell(tf.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.kernel = tf.Variable(tf.random.normal((input_size, hidden_size), stddev=0.4))
        self.recurrent_kernel = tf.Variable(tf.random.normal((hidden_size, hidden_size), stddev=0.4))

    def initial_state(self, batch_size):
        return {"h": tf.zeros((batch_size, self.hidden_size))}

    def __call__(self, x, state):
        h = tf.tanh(x @ self.kernel + state["h"] @ self.recurrent_kernel)
        state["h"] = h  # expect: mutated-state warning
        return h, dict(state)
