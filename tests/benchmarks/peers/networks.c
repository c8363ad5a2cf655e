/* What someone would write by hand who only ever trains these five networks: per-sample SGD, one
   function each, sizes as constants. Built with gcc -O3 -march=native -ffast-math. */

#include <math.h>
#include <stddef.h>

typedef const double *restrict in;
typedef double *restrict out;
typedef const long *restrict order;

/* W1: 13 -> 1 linear, mean squared. theta: w (13), b (1) */
void w1(in x, in target, order rows, long count, double rate, out theta)
{
    double w[13], b = theta[13];
    for (int i = 0; i < 13; i++) w[i] = theta[i];
    for (long k = 0; k < count; k++) {
        const double *row = x + 13 * rows[k];
        double z = b;
        for (int i = 0; i < 13; i++) z += row[i] * w[i];
        const double step = rate * 2.0 * (z - target[rows[k]]);
        for (int i = 0; i < 13; i++) w[i] -= step * row[i];
        b -= step;
    }
    for (int i = 0; i < 13; i++) theta[i] = w[i];
    theta[13] = b;
}

/* Turns logits z into the gradient of the cross-entropy of their softmax. */
static inline void softmax_gradient(double *restrict z, const double *restrict t, int n)
{
    double largest = z[0], total = 0.0;
    for (int j = 1; j < n; j++) largest = z[j] > largest ? z[j] : largest;
    for (int j = 0; j < n; j++) z[j] = exp(z[j] - largest);
    for (int j = 0; j < n; j++) total += z[j];
    for (int j = 0; j < n; j++) z[j] = z[j] / total - t[j];
}

/* W2: 4 -> 3 softmax, cross-entropy. theta: w (4, 3), b (3) */
void w2(in x, in target, order rows, long count, double rate, out theta)
{
    double w[4][3], b[3];
    for (int i = 0; i < 4; i++) for (int j = 0; j < 3; j++) w[i][j] = theta[3 * i + j];
    for (int j = 0; j < 3; j++) b[j] = theta[12 + j];
    for (long k = 0; k < count; k++) {
        const double *row = x + 4 * rows[k];
        double z[3];
        for (int j = 0; j < 3; j++) z[j] = b[j];
        for (int i = 0; i < 4; i++) for (int j = 0; j < 3; j++) z[j] += row[i] * w[i][j];
        softmax_gradient(z, target + 3 * rows[k], 3);
        for (int i = 0; i < 4; i++) for (int j = 0; j < 3; j++) w[i][j] -= rate * row[i] * z[j];
        for (int j = 0; j < 3; j++) b[j] -= rate * z[j];
    }
    for (int i = 0; i < 4; i++) for (int j = 0; j < 3; j++) theta[3 * i + j] = w[i][j];
    for (int j = 0; j < 3; j++) theta[12 + j] = b[j];
}

/* W3: 13 -> 13 sigmoid -> 1 linear, mean squared. theta: w (13, 13), b (13), v (13), c (1) */
void w3(in x, in target, order rows, long count, double rate, out theta)
{
    double w[13][13], b[13], v[13], c = theta[195];
    for (int i = 0; i < 13; i++) for (int j = 0; j < 13; j++) w[i][j] = theta[13 * i + j];
    for (int j = 0; j < 13; j++) b[j] = theta[169 + j], v[j] = theta[182 + j];
    for (long k = 0; k < count; k++) {
        const double *row = x + 13 * rows[k];
        double h[13], d[13], z = c;
        for (int j = 0; j < 13; j++) h[j] = b[j];
        for (int i = 0; i < 13; i++) for (int j = 0; j < 13; j++) h[j] += row[i] * w[i][j];
        for (int j = 0; j < 13; j++) h[j] = 1.0 / (1.0 + exp(-h[j]));
        for (int j = 0; j < 13; j++) z += h[j] * v[j];
        const double step = rate * 2.0 * (z - target[rows[k]]);
        for (int j = 0; j < 13; j++) d[j] = step * v[j] * h[j] * (1.0 - h[j]);
        for (int j = 0; j < 13; j++) v[j] -= step * h[j];
        c -= step;
        for (int i = 0; i < 13; i++) for (int j = 0; j < 13; j++) w[i][j] -= row[i] * d[j];
        for (int j = 0; j < 13; j++) b[j] -= d[j];
    }
    for (int i = 0; i < 13; i++) for (int j = 0; j < 13; j++) theta[13 * i + j] = w[i][j];
    for (int j = 0; j < 13; j++) theta[169 + j] = b[j], theta[182 + j] = v[j];
    theta[195] = c;
}

/* W4: 64 -> 89 tanh -> 10 softmax, cross-entropy. theta: w (64, 89), b (89), v (89, 10), c (10) */
void w4(in x, in target, order rows, long count, double rate, out theta)
{
    double *restrict w = theta, *restrict b = w + 64 * 89;
    double *restrict v = b + 89, *restrict c = v + 89 * 10;
    for (long k = 0; k < count; k++) {
        const double *row = x + 64 * rows[k];
        double h[89], d[89], z[10];
        for (int j = 0; j < 89; j++) h[j] = b[j];
        for (int i = 0; i < 64; i++) for (int j = 0; j < 89; j++) h[j] += row[i] * w[89 * i + j];
        for (int j = 0; j < 89; j++) h[j] = tanh(h[j]);
        for (int o = 0; o < 10; o++) z[o] = c[o];
        for (int j = 0; j < 89; j++) for (int o = 0; o < 10; o++) z[o] += h[j] * v[10 * j + o];
        softmax_gradient(z, target + 10 * rows[k], 10);
        for (int j = 0; j < 89; j++) {
            double sum = 0.0;
            for (int o = 0; o < 10; o++) sum += v[10 * j + o] * z[o];
            d[j] = rate * sum * (1.0 - h[j] * h[j]);
            for (int o = 0; o < 10; o++) v[10 * j + o] -= rate * h[j] * z[o];
        }
        for (int o = 0; o < 10; o++) c[o] -= rate * z[o];
        for (int i = 0; i < 64; i++) for (int j = 0; j < 89; j++) w[89 * i + j] -= row[i] * d[j];
        for (int j = 0; j < 89; j++) b[j] -= d[j];
    }
}

/* W5: 1x8x8 -> conv 16 of 3x3, bias per position, tanh -> 10 softmax, cross-entropy.
   theta: w (9, 16), b (36, 16), v (10, 576), c (10), channels last */
void w5(in x, in target, order rows, long count, double rate, out theta)
{
    double *restrict w = theta, *restrict b = w + 144, *restrict v = b + 576, *restrict c = v + 5760;
    for (long k = 0; k < count; k++) {
        const double *row = x + 64 * rows[k];
        double h[576], d[576], z[10], dw[144];
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++) {
                double *pixel = h + 16 * (6 * i + j);
                for (int o = 0; o < 16; o++) pixel[o] = b[16 * (6 * i + j) + o];
                for (int a = 0; a < 3; a++)
                    for (int e = 0; e < 3; e++)
                        for (int o = 0; o < 16; o++)
                            pixel[o] += row[8 * (i + a) + j + e] * w[16 * (3 * a + e) + o];
            }
        for (int n = 0; n < 576; n++) h[n] = tanh(h[n]);
        for (int m = 0; m < 10; m++) {
            double sum = c[m];
            for (int n = 0; n < 576; n++) sum += h[n] * v[576 * m + n];
            z[m] = sum;
        }
        softmax_gradient(z, target + 10 * rows[k], 10);
        for (int n = 0; n < 576; n++) d[n] = 0.0;
        for (int m = 0; m < 10; m++)
            for (int n = 0; n < 576; n++) {
                d[n] += z[m] * v[576 * m + n];
                v[576 * m + n] -= rate * z[m] * h[n];
            }
        for (int m = 0; m < 10; m++) c[m] -= rate * z[m];
        for (int n = 0; n < 576; n++) d[n] *= rate * (1.0 - h[n] * h[n]);
        for (int n = 0; n < 576; n++) b[n] -= d[n];
        for (int n = 0; n < 144; n++) dw[n] = 0.0;
        for (int i = 0; i < 6; i++)
            for (int j = 0; j < 6; j++)
                for (int a = 0; a < 3; a++)
                    for (int e = 0; e < 3; e++)
                        for (int o = 0; o < 16; o++)
                            dw[16 * (3 * a + e) + o] +=
                                row[8 * (i + a) + j + e] * d[16 * (6 * i + j) + o];
        for (int n = 0; n < 144; n++) w[n] -= dw[n];
    }
}
